"""The versions of the lab's objects, and what has changed from one to the next.

There is one counter for all objects. An object's ``resourceVersion`` is the counter at its last
change, status included. An object with another ``uid`` under the same name is another object: the
old one is gone, the new one made.

Nobody keeps the books until somebody looks: then what the objects are made of is compared with
what it was, and only what differs is made anew. So a lab whose API nobody reads pays nothing, and
for one change among 10,000 pods one object is made.

The counter begins with the second of the lab's birth, so that a version of an earlier lab is too
old for this one, and not in its future.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Key = tuple[str, str]
"""Namespace (empty for kinds without) and name."""
Json = dict[str, Any]
Change = list[Any]
"""``[plural, object]``, or ``[plural, [namespace, name], version]`` of one that is gone."""


class View(Protocol):
    """What a ledger sees of a lab."""

    @property
    def plurals(self) -> tuple[str, ...]:
        """The kinds that there are."""

    def inputs(self, plural: str) -> tuple[object, ...]:
        """What the objects of a kind are made of; compared by identity."""

    def parts(self, plural: str) -> Mapping[Key, object] | None:
        """What each object is made of, in the objects' order; None where that is not known."""

    def object(self, plural: str, part: object) -> Json:
        """One object of a kind with parts, made of its part."""

    def objects(self, plural: str) -> list[Json]:
        """All objects of a kind without parts."""


@dataclass
class _Entry:
    """An object: what it was made of, as the lab shows it, as it is told."""

    part: object
    bare: Json
    told: Json


@dataclass
class _Book:
    """The objects of one kind, in the lab's order."""

    inputs: tuple[object, ...] | None = None
    entries: dict[Key, _Entry] = field(default_factory=dict)


class Ledger:
    """The books of one lab; its methods may be called by any thread.

    Args:
        view: The lab.
        now: Seconds since 1970.

    Attributes:
        version: The counter.
    """

    def __init__(self, view: View, now: Callable[[], float] = time.time) -> None:
        self._view = view
        self.version = int(now())
        self._lock = threading.Lock()
        self._books: dict[str, _Book] = {plural: _Book() for plural in view.plurals}
        self._pending: list[Change] | None = None
        self._latest: dict[str, int] = {}

    def latest(self, plurals: Collection[str]) -> dict[str, int]:
        """The version of the last change of some kinds; those that never had one are not in it."""
        with self._lock:
            for plural in plurals:
                self._look(plural)
            return {plural: self._latest[plural] for plural in plurals if plural in self._latest}

    def current(self, plural: str) -> list[Json]:
        """All objects of a kind, in the lab's order; not to be changed."""
        with self._lock:
            self._look(plural)
            return [entry.told for entry in self._books[plural].entries.values()]

    def follow(self) -> list[Change]:
        """The whole state as changes; from now on :meth:`changes` tells what comes after."""
        with self._lock:
            for plural in self._books:
                self._look(plural)
            self._pending = []
            return [
                [plural, entry.told]
                for plural, book in self._books.items()
                for entry in book.entries.values()
            ]

    def changes(self) -> list[Change]:
        """What has changed since :meth:`follow` or this was called last."""
        with self._lock:
            for plural in self._books:
                self._look(plural)
            found, self._pending = self._pending or [], []
            return found

    def record(self, plural: str) -> None:
        """Writes down how a kind's objects are now, so that whoever follows is told this state."""
        with self._lock:
            if self._pending is not None:
                self._look(plural)

    def unfollow(self) -> None:
        """Nobody asks for changes any more."""
        with self._lock:
            self._pending = None

    def _look(self, plural: str) -> None:
        """Brings the books of a kind up to date."""
        book, inputs = self._books[plural], self._view.inputs(plural)
        if book.inputs is not None and _same(book.inputs, inputs):
            return
        parts = self._view.parts(plural)
        if parts is None:
            bare = {_key(item): item for item in self._view.objects(plural)}
            self._write(plural, book, bare, lambda item: item)
        else:
            self._write(plural, book, parts, lambda part: self._view.object(plural, part))
        book.inputs = inputs

    def _write(
        self, plural: str, book: _Book, parts: Mapping[Key, Any], make: Callable[[Any], Json]
    ) -> None:
        """Writes down what differs."""
        old, book.entries = book.entries, {}
        for key in old.keys() - parts.keys():
            self._gone(plural, key)
        for key, part in parts.items():
            known = old.get(key)
            if known is not None and known.part == part:
                book.entries[key] = known
            else:
                book.entries[key] = self._entry(plural, key, known, make(part), part)

    def _entry(
        self, plural: str, key: Key, known: _Entry | None, bare: Json, part: object
    ) -> _Entry:
        """The entry of an object that may differ from what is known of it."""
        if known is not None and known.bare == bare:
            known.part = part
            return known
        if known is not None and known.bare["metadata"]["uid"] != bare["metadata"]["uid"]:
            self._gone(plural, key)  # another object under the same name
        self.version += 1
        self._latest[plural] = self.version
        metadata = {**bare["metadata"], "resourceVersion": str(self.version)}
        told = {**bare, "metadata": metadata}
        if self._pending is not None:
            self._pending.append([plural, told])
        return _Entry(part, bare, told)

    def _gone(self, plural: str, key: Key) -> None:
        self.version += 1
        self._latest[plural] = self.version
        if self._pending is not None:
            self._pending.append([plural, list(key), self.version])


def _same(old: tuple[object, ...], new: tuple[object, ...]) -> bool:
    return len(old) == len(new) and all(a is b for a, b in zip(old, new, strict=True))


def _key(item: Json) -> Key:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]
