"""What ``--set`` says of links: of all of them, and of single ones.

A link's own word comes before what is set for all, and what is set for all before the defaults of
a file. What is set for one link, as ``l1-sp1.delay=20ms``, comes before everything: it is how one
line of a topology is made worse without a copy of its file.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.errors import InputError, Where, unknown
from testbed.topology.limits import Limits, limits
from testbed.topology.model import DEFAULT_MTU
from testbed.topology.settings import LINK_KEYS

Values = Mapping[str, Any]
Ends = tuple[str, str]

_SHOWN = 20  # names of links in an error; a large fabric has hundreds


@dataclass(frozen=True, slots=True)
class Chosen:
    """The settings of a topology's links.

    Attributes:
        everywhere: Key → value, for links that say nothing of it themselves.
        single: For each link, what is set for it alone.
    """

    everywhere: Values
    single: Sequence[Values]

    def link(self, index: int, own: Values, defaults: Values, place: Where) -> tuple[Limits, int]:
        """Limits and MTU of a link.

        Args:
            index: Of the link.
            own: What it says itself.
            defaults: What its file says of links that say nothing.
            place: Where it says it, for errors.

        Raises:
            InputError: The values do not go together.
        """
        values = {**defaults, **self.everywhere, **own, **self.single[index]}
        try:
            return limits(values), values.get("mtu", DEFAULT_MTU)
        except ValueError as error:
            set_only = not own and not defaults
            raise InputError(str(error), where=Where("--set") if set_only else place) from None


def choose(values: Values, links: Sequence[Ends]) -> Chosen:
    """Parts parsed settings by the links that they are for.

    Args:
        values: Key → value; keys that are not of links are left alone.
        links: The ends of each link.

    Raises:
        InputError: A key names no link, or more than one.
    """
    single: list[dict[str, Any]] = [{} for _ in links]
    for key, value in values.items():
        name, dot, what = key.rpartition(".")
        for index in _named(name, links, Where("--set", field=key)) if dot else ():
            if what in single[index]:
                raise InputError(f"{what} of {name} is set twice", where=Where("--set", field=key))
            single[index][what] = value
    return Chosen({key: values[key] for key in LINK_KEYS if key in values}, single)


def _named(name: str, links: Sequence[Ends], where: Where) -> list[int]:
    """The links between two ends, which may be written in either order.

    Names have hyphens of their own, so a name is compared with the links there are, never taken
    apart.
    """
    found = [i for i, (a, b) in enumerate(links) if name in (f"{a}-{b}", f"{b}-{a}")]
    pairs = {frozenset(links[i]) for i in found}
    if len(pairs) > 1:
        several = " and ".join(sorted(" to ".join(sorted(pair)) for pair in pairs))
        raise InputError(f"{name!r} names several links: {several}", where=where)
    if not found:
        names = list(dict.fromkeys(f"{a}-{b}" for a, b in links))
        raise unknown("link", name, difflib.get_close_matches(name, names, _SHOWN, 0), where)
    return found
