"""Dicts that know what of them has changed, so that nobody has to look at all of it to find out.

A cluster is a value: each change makes a new one. Copying a dict of 10,000 takes 0.1 ms, but asking
for each of 10,000 values whether it is still the same takes many. :func:`derive` makes the copy and
notes which keys it changed; :func:`differing` reads these notes, back to the dict that it is asked
about, and looks at everything only if there are none. :func:`index` turns a dict round, and keeps
that up to date in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T", bound=Hashable)

LENGTH = 64
"""How many changes a dict remembers; who has seen none of the last ones looks at everything."""


class _State:
    """What a dict is known by; it does not keep the dict."""


class _Derived(dict[K, V]):
    """A dict with its history.

    Attributes:
        state: Its own.
        history: What it came from, the last change first: the state before, and the keys.
        indexes: Function → the index that it makes; one for all that came from one another.
    """

    __slots__ = ("history", "indexes", "state")

    def __init__(self, values: Mapping[K, V]) -> None:
        super().__init__(values)
        self.state = _State()
        self.history: tuple[tuple[_State, frozenset[K]], ...] = ()
        self.indexes: dict[Callable[..., Any], _Index] = {}

    def since(self, state: _State | None) -> set[K] | None:
        """The keys that were changed on the way from a state; None if that is not known."""
        keys: set[K] = set()
        if state is self.state:
            return keys
        for before, changed in self.history:
            keys |= changed
            if before is state:
                return keys
        return None


class _Index:
    """A dict turned round; see :func:`index`."""

    def __init__(self) -> None:
        self.state: _State | None = None
        self.of: dict[Any, tuple[Any, ...]] = {}
        self.users: dict[Any, set[Any]] = {}

    def follow(self, new: _Derived[Any, Any], values: Callable[..., Iterable[Any]]) -> None:
        """Brings the index to where a dict is."""
        keys = new.since(self.state)
        if keys is None:
            self.of, self.users = {}, {}
            keys = set(new)
        for key in keys:
            for value in self.of.pop(key, ()):
                self.users[value].discard(key)
                if not self.users[value]:
                    del self.users[value]
            if key in new:
                self.of[key] = tuple(dict.fromkeys(values(new[key])))
                for value in self.of[key]:
                    self.users.setdefault(value, set()).add(key)
        self.state = new.state


def index(mapping: Mapping[K, V], values: Callable[[V], Iterable[T]]) -> Mapping[T, set[K]]:
    """What the values of a mapping have → the keys of those that have it; not to be changed.

    It is right until the next call for a mapping that came from this one, or that this one came
    from: there is one index for all of them.

    Args:
        mapping: The mapping.
        values: What a value has; always the same function, not one that is made for the call.
    """
    derived = mapping if isinstance(mapping, _Derived) else _Derived(mapping)
    found = derived.indexes.setdefault(values, _Index())
    found.follow(derived, values)
    return found.users


def derive(old: Mapping[K, V], changed: Mapping[K, V], gone: Iterable[K] = ()) -> Mapping[K, V]:
    """A mapping with other values and without some keys; the old one if that changes nothing.

    Args:
        old: The mapping before.
        changed: Keys with new values; further ones come last.
        gone: Keys that go; those that are not there are passed over.
    """
    changes = {key: value for key, value in changed.items() if old.get(key) is not value}
    gone = [key for key in gone if key in old]
    if not (changes or gone) and isinstance(old, _Derived):
        return old
    found = _Derived(old)
    found.update(changes)
    for key in gone:
        del found[key]
    if isinstance(old, _Derived):
        step = (old.state, frozenset((*changes, *gone)))
        found.history = (step, *old.history[: LENGTH - 1])
        found.indexes = old.indexes
    return found


def differing(old: Mapping[K, V], new: Mapping[K, V]) -> set[K]:
    """The keys that only one of them has, or for which they have not the same object."""
    if old is new:
        return set()
    keys = _since(old, new)
    if keys is None:
        keys = old.keys() | new.keys()
    nothing = object()
    return {key for key in keys if old.get(key, nothing) is not new.get(key, nothing)}


def _since(old: Mapping[K, V], new: Mapping[K, V]) -> set[K] | None:
    """The keys that were changed on the way from one to the other; None if it is not known."""
    known = isinstance(old, _Derived) and isinstance(new, _Derived)
    return new.since(old.state) if known else None  # type: ignore[attr-defined]
