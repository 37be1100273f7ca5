"""The objects of a lab and what has changed lately: what lists and watches are made of. Pure.

An object is its JSON text and what selectors look at. Its version is the lab's counter at its last
change; the counter is one for all kinds. Each kind has a history of its changes, bounded in number
and in bytes. A watch is a version in that history and nothing more, so that a client that reads
slowly costs nothing: when the history has moved on without it, it is told so (410) and has to list
again. A list continues at the version that it began with, by undoing what has changed since.

The same design as kube-apiserver's watch cache (``pkg/storage/cacher/watch_cache.go``), which also
has one history per kind.
"""

from __future__ import annotations

import json
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from testbed.api import fields
from testbed.api.failures import too_old
from testbed.api.kinds import Served

Key = tuple[str, str]
"""Namespace (empty for kinds without) and name; lists are in this order, as etcd has it."""

MOST_CHANGES = 20_000
MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Record:
    """An object.

    Attributes:
        key: Namespace and name.
        version: The lab's counter at its last change.
        text: The object as JSON.
        labels: Its labels.
        fields: The values of its selectable fields.
    """

    key: Key
    version: int
    text: bytes
    labels: Mapping[str, str]
    fields: Mapping[str, str]

    def at(self, version: int) -> Record:
        """The same object with another version."""
        item = json.loads(self.text)
        item["metadata"]["resourceVersion"] = str(version)
        return replace(self, version=version, text=encode(item))


@dataclass(frozen=True)
class Change:
    """What became of an object.

    Attributes:
        version: The lab's counter after it.
        old: What it was; None if it was not there.
        new: What it is; None if it is gone.
    """

    version: int
    old: Record | None
    new: Record | None

    @property
    def key(self) -> Key:
        """Of the object."""
        found = self.new or self.old
        assert found is not None  # noqa: S101 - a change has one of both
        return found.key

    @cached_property
    def end(self) -> Record | None:
        """The old object as its end is told: with the version of that end."""
        return self.old and self.old.at(self.version)

    @property
    def size(self) -> int:
        """Bytes of JSON that it keeps from being forgotten."""
        return sum(len(record.text) for record in (self.old, self.new) if record)


def encode(item: Any) -> bytes:
    """A value as JSON without needless space."""
    return json.dumps(item, separators=(",", ":")).encode()


@dataclass
class Collection:
    """The objects of one kind.

    Attributes:
        kind: The kind.
        objects: By key.
        oldest: The version after which all changes are known.
        most_changes: How many changes are remembered.
        most_bytes: How many bytes of JSON are kept for them.
    """

    kind: Served
    objects: dict[Key, Record] = field(default_factory=dict)
    oldest: int = 0
    most_changes: int = MOST_CHANGES
    most_bytes: int = MOST_BYTES
    _keys: list[Key] = field(default_factory=list)
    _history: deque[Change] = field(default_factory=deque)
    _bytes: int = 0

    def put(self, item: dict[str, Any], version: int) -> None:
        """Makes or changes an object; it has the version in it."""
        meta = item["metadata"]
        key = (meta.get("namespace", ""), meta["name"])
        values = fields.values(item, self.kind.fields)
        new = Record(key, version, encode(item), meta.get("labels", {}), values)
        old = self.objects.get(key)
        if old is None:
            insort(self._keys, key)
        self.objects[key] = new
        self._remember(Change(version, old, new))

    def remove(self, key: Key, version: int) -> None:
        """Takes an object away, if it is there."""
        old = self.objects.pop(key, None)
        if old is not None:
            del self._keys[bisect_left(self._keys, key)]
            self._remember(Change(version, old, None))

    def forget_before(self, version: int) -> None:
        """Starts the history anew."""
        self._history.clear()
        self._bytes, self.oldest = 0, version

    def _remember(self, change: Change) -> None:
        self._history.append(change)
        self._bytes += change.size
        while len(self._history) > self.most_changes or self._bytes > self.most_bytes:
            forgotten = self._history.popleft()
            self._bytes -= forgotten.size
            self.oldest = forgotten.version

    def sorted(self) -> list[Record]:
        """All objects in the order of their keys."""
        return [self.objects[key] for key in self._keys]

    def after(self, version: int) -> list[Change]:
        """The changes after a version, in their order.

        Raises:
            Failure: They are not all known any more (410).
        """
        if version < self.oldest:
            raise too_old(version, self.oldest)
        found = []
        for change in reversed(self._history):
            if change.version <= version:
                break
            found.append(change)
        return found[::-1]

    def at(self, version: int) -> list[Record]:
        """The objects as they were at a version, in the order of their keys.

        Raises:
            Failure: That is too long ago (410).
        """
        changes = self.after(version)
        if not changes:
            return self.sorted()
        found = dict(self.objects)
        for change in reversed(changes):
            if change.old is None:
                del found[change.key]
            else:
                found[change.key] = change.old
        return [found[key] for key in sorted(found)]


@dataclass
class Store:
    """The objects of all kinds.

    Attributes:
        collections: By plural.
        version: The lab's counter.
    """

    collections: dict[str, Collection]
    version: int = 0

    @classmethod
    def of(cls, kinds: Iterator[Served] | tuple[Served, ...]) -> Store:
        """An empty store of these kinds."""
        return cls({kind.plural: Collection(kind) for kind in kinds})

    def put(self, plural: str, item: dict[str, Any]) -> None:
        """Makes or changes an object; its ``metadata.resourceVersion`` is the counter."""
        version = int(item["metadata"]["resourceVersion"])
        self.version = max(self.version, version)
        self.collections[plural].put(item, version)

    def remove(self, plural: str, key: Key, version: int) -> None:
        """Takes an object away."""
        self.version = max(self.version, version)
        self.collections[plural].remove(key, version)

    def begin(self, version: int) -> None:
        """Says that what is there is the state at a version, and that nothing before is known."""
        self.version = version
        for collection in self.collections.values():
            collection.forget_before(version)
