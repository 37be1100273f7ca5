"""A rule of nftables while it is read: its words, and the expressions that they have become.

See :mod:`testbed.kernel.nftrules`.
"""

from __future__ import annotations

from dataclasses import dataclass, field


class Unknown(Exception):
    """This module does not know what is written there."""


@dataclass(frozen=True)
class Anonymous:
    """A set or map that a rule brings with it.

    Attributes:
        chains: Of a map: the chains to go to from 0, 1, …
        bounds: Of a set: where a range begins (True) or has ended (False), in order; of a set of
            single addresses all are beginnings.
        ranges: Whether it is a set of ranges.
    """

    chains: tuple[str, ...] = ()
    bounds: tuple[tuple[int, bool], ...] = ()
    ranges: bool = False


@dataclass(frozen=True)
class Rule:
    """A rule: what comes before and after the lookup of the set that it brings, if it does.

    Attributes:
        before: Expressions.
        anonymous: The set or map.
        after: Expressions.
        comment: For people.
    """

    before: bytes
    anonymous: Anonymous | None = None
    after: bytes = b""
    comment: str = ""


@dataclass
class Reader:
    """The words of a rule that are still to be read, and what those before them say.

    Attributes:
        words: Those that are still to be read, the last one first.
        before: Expressions before the lookup of a set that the rule brings; all if it brings none.
        after: Those after it.
        anonymous: That set.
    """

    words: list[str]
    before: bytearray = field(default_factory=bytearray)
    after: bytearray = field(default_factory=bytearray)
    anonymous: Anonymous | None = None

    def __post_init__(self) -> None:
        self.words.reverse()

    def take(self, *wanted: str) -> str:
        """The next word; if words are wanted, it and those after it must be these."""
        word = self.words.pop()
        for i, one in enumerate(wanted):
            if one != (word if i == 0 else self.words.pop()):
                raise ValueError(one)
        return word

    def next(self) -> str:
        """The next word, which stays there."""
        return self.words[-1] if self.words else ""

    def add(self, *expressions: bytes) -> None:
        """Adds expressions behind those that are there."""
        end = self.before if self.anonymous is None else self.after
        for one in expressions:
            end += one

    def bring(self, anonymous: Anonymous) -> None:
        """Notes the set that is looked up here; a rule may bring one."""
        if self.anonymous is not None:
            raise ValueError("two sets")
        self.anonymous = anonymous
