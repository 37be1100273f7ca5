"""What is set on the links of a topology, in words, and which of them differ from the others.

Links to hosts and links within the fabric are told apart, because they often differ. What most of a
kind have in common is said once; a link with something else gets a *mark*, a letter that the
drawing shows on it and that its legend explains, however much there is to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any

from testbed.analysis import units

Link = Mapping[str, Any]
"""``a``, ``b`` and what is set: ``rate`` (bit/s), ``delay``, ``jitter`` (s), ``distribution`` (of
the jitter), ``loss``, ``reorder``, ``duplicate``, ``corrupt`` (shares), ``limit`` (packets in the
queue), ``mtu`` (bytes); None is none."""

HOSTS = frozenset({"node", "external"})
"""The roles that are no part of the fabric."""

_SHARES = ("loss", "reorder", "duplicate", "corrupt")
_IMPAIRED = ("delay", "jitter", *_SHARES)


@dataclass(frozen=True, slots=True)
class Legend:
    """The links of a topology in words.

    Attributes:
        lines: What the kinds of links have in common, then what each mark means.
        marks: Place of a link in the topology → its mark, for those that differ.
    """

    lines: Sequence[str]
    marks: Mapping[int, str]


def legend(nodes: Mapping[str, Mapping[str, Any]], links: Sequence[Link]) -> Legend:
    """The legend of a topology's links.

    Args:
        nodes: Hosts and switches by name, with their ``role``.
        links: The links; both ends are in ``nodes``.
    """
    usual: list[str] = []
    marks: dict[int, str] = {}
    meanings: dict[str, str] = {}
    for kind, places in _kinds(nodes, links).items():
        said = {place: properties(links[place]) or "no limit" for place in places}
        if said:
            most = Counter(said.values()).most_common(1)[0][0]
            differing = {place: text for place, text in said.items() if text != most}
            usual.append(f"{kind}: {most}{' unless marked' if differing else ''}.")
            for place, text in differing.items():
                marks[place] = meanings.setdefault(text, _mark(len(meanings)))
    explained = [f"{mark}: {text}" for text, mark in meanings.items()]
    return Legend([*usual, *explained] or ["No links."], marks)


def properties(link: Link) -> str:
    """What is set on a link, in words; empty if nothing is."""
    said = [_said(link, "rate", "bit/s"), _said(link, "delay", "s"), _said(link, "jitter", "s")]
    said[-1] += f" ({link['distribution']})" if said[-1] and link.get("distribution") else ""
    said += [_said(link, name, "%") for name in _SHARES]
    said.append(f"queue of {link['limit']} packets" if link.get("limit") else "")
    said.append(f"MTU {link['mtu']}" if link.get("mtu") else "")
    return ", ".join(filter(None, said))


def impaired(link: Link) -> bool:
    """Whether a link delays or harms packets."""
    return any(link.get(name) for name in _IMPAIRED)


def _said(link: Link, name: str, unit: str) -> str:
    """One property with its unit; a text as it is; empty if it is not set."""
    value = link.get(name)
    if not isinstance(value, (int, float)) or not value:
        return f"{name} {value}" if value else ""
    if unit == "%":
        return f"{name} {100 * value:.4g} %"
    chosen = units.scale([value], unit)
    return f"{name} {value / chosen.factor:.4g} {chosen.unit}"


def _kinds(nodes: Mapping[str, Mapping[str, Any]], links: Sequence[Link]) -> dict[str, list[int]]:
    """The places of the links to hosts and of those within the fabric."""
    kinds: dict[str, list[int]] = {"Links to hosts": [], "Links of the fabric": []}
    for place, link in enumerate(links):
        to_host = any(nodes[link[end]]["role"] in HOSTS for end in ("a", "b"))
        kinds["Links to hosts" if to_host else "Links of the fabric"].append(place)
    return kinds


def _mark(place: int) -> str:
    """The letters ``a`` to ``z``, then ``a1`` and so on."""
    letter = ascii_lowercase[place % len(ascii_lowercase)]
    return letter + (str(place // len(ascii_lowercase)) if place >= len(ascii_lowercase) else "")
