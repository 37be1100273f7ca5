"""Lists, whole or in parts. Pure."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from testbed.api.failures import Failure, expired, too_new
from testbed.api.query import EXACT, Options, Token
from testbed.api.store import Collection, Record

_NOW = -1
_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start "
    "a new list without the continue parameter, or use the continue token in this response to "
    "retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True, slots=True)
class Page:
    """A list or a part of it.

    Attributes:
        version: The state that it shows.
        records: The objects.
        token: Where it goes on; empty at its end.
        remaining: How many come after; None where a selector hides it.
    """

    version: int
    records: list[Record]
    token: str = ""
    remaining: int | None = None

    def metadata(self) -> dict[str, str | int]:
        """The ``ListMeta``."""
        found: dict[str, str | int] = {"resourceVersion": str(self.version)}
        if self.token:
            found["continue"] = self.token
        if self.token and self.remaining is not None:
            found["remainingItemCount"] = self.remaining
        return found


def page(collection: Collection, current: int, asked: Options) -> Page:
    """The list that a client asks for.

    Args:
        collection: The objects.
        current: The lab's counter.
        asked: Options of the list.

    Raises:
        Failure: A version that is asked for is too old (410), or not there yet (504).
    """
    version, records = _state(collection, current, asked)
    if asked.token is not None:
        records = records[bisect_right(records, asked.token.after, key=lambda r: r.key) :]
    found: list[Record] = []
    for index, record in enumerate(records):
        if asked.limit and len(found) == asked.limit:
            left = _left(records[index:], asked)
            if left == 0:
                break
            remaining = None if asked.selects else left
            return Page(version, found, str(Token(version, found[-1].key)), remaining)
        if asked.wanted(record):
            found.append(record)
    return Page(version, found)


def _left(records: list[Record], asked: Options) -> int:
    return sum(map(asked.wanted, records))


def _state(collection: Collection, current: int, asked: Options) -> tuple[int, list[Record]]:
    """The state that is to be listed, and its version."""
    if asked.token is not None and asked.token.version != _NOW:
        try:
            return asked.token.version, _at(collection, current, asked.token.version)
        except Failure as failure:
            if failure.code != 410:
                raise
            raise expired(_EXPIRED, {"continue": str(Token(_NOW, asked.token.after))}) from None
    if asked.version and asked.match == EXACT:
        return asked.version, _at(collection, current, asked.version)
    if asked.version and asked.version > current:
        raise too_new(asked.version, current)
    return current, collection.sorted()


def _at(collection: Collection, current: int, version: int) -> list[Record]:
    if version > current:
        raise too_new(version, current)
    return collection.at(version)
