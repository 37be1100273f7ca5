"""The topology of a campaign, drawn.

Fabric on top (spines and routers above the switches that carry nodes), and below each of those its
hosts as in a rack: in columns beside a vertical line that taps into each. So neither lines nor
labels cross, however many nodes there are. A host outside the cluster whose switch carries no node
is drawn with the fabric. What the links have in common is said once below, with what the marks on
the others mean (:mod:`testbed.analysis.links`). Impaired links are dashed; an Open vSwitch is named
as such and has a colour of its own.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from testbed.analysis.links import HOSTS, impaired, legend

Topology = Mapping[str, Any]
"""``nodes``: name, role (node, external, router, switch), kind (of a switch: bridge, openvswitch),
address, pod_cidr; ``links``: as in :data:`testbed.analysis.links.Link`. As in
``environment.json``."""

_BOX, _HEIGHT = 132, 46  # a host or a switch
_STUB = 14  # from a rack's line to a host
_GAP = 18
_LAYER = 92  # from one layer of the fabric to the next
_COLUMNS = 6  # hosts beside each other in the whole drawing
_PAD = 12
OPENVSWITCH = "Open vSwitch"
_LINE, _CHARACTER = 15, 6.1  # of the legend: pixels
_NARROWEST = 420  # the legend must have room
_TOWARDS = 0.3  # of a fabric link, from its lower end: there no two links cross


@dataclass(frozen=True, slots=True)
class _Rack:
    """A switch and its hosts, in columns."""

    switch: str
    hosts: Sequence[str]
    columns: int

    @property
    def width(self) -> int:
        return self.columns * (_BOX + _STUB + _GAP)

    @property
    def rows(self) -> int:
        return -(-len(self.hosts) // self.columns)


def topology_svg(topology: Topology) -> str:
    """The drawing as an SVG element that takes its colours from the page.

    It uses ``currentColor`` and the page's ``--paper`` and ``--series-1`` to ``-4``.
    """
    nodes = {str(node["name"]): node for node in topology.get("nodes", [])}
    links = [one for one in topology.get("links", []) if one["a"] in nodes and one["b"] in nodes]
    racks = _racks(nodes, links)
    layers = _layers(nodes, links, racks)
    fabric_width = max((len(layer) * (_BOX + _GAP) for layer in layers), default=0)
    width = max(sum(rack.width for rack in racks), fabric_width, _NARROWEST) + 2 * _PAD
    place = _places(racks, layers, width)
    below = [rack.rows for rack in racks if rack.hosts]
    bottom = len(layers) * _LAYER + max(below, default=0) * (_HEIGHT + _GAP) + 2 * _PAD
    said = legend(nodes, links)
    columns = int((width - 2 * _PAD) / _CHARACTER)
    told = [part for line in said.lines for part in textwrap.wrap(line, columns)]
    parts = [
        f'<g opacity="0.6">{"".join(_lines(racks, links, place))}</g>',
        *_boxes(nodes, place),
        *_marks(racks, links, said.marks, place),
        *(_text(_PAD, bottom + _LINE * i, line, anchor="start") for i, line in enumerate(told)),
    ]
    height = bottom + _LINE * len(told) - 5
    return (
        f'<svg viewBox="0 0 {width} {height}" style="max-width: {width}px" '
        f'aria-hidden="true" font-size="11">{"".join(parts)}</svg>'
    )


def _racks(nodes: Mapping[str, Topology], links: Sequence[Topology]) -> list[_Rack]:
    """The switches that have nodes, each with the hosts whose first link is to it.

    Nodes without a switch share a rack whose switch has the empty name.
    """
    hosts: dict[str, list[str]] = {}
    seen: set[str] = set()
    for link in links:
        for host, other in ((link["a"], link["b"]), (link["b"], link["a"])):
            if _is_host(nodes[host]) and not _is_host(nodes[other]) and host not in seen:
                seen.add(host)
                hosts.setdefault(other, []).append(host)
    hosts = {
        switch: found
        for switch, found in hosts.items()
        if any(nodes[host]["role"] == "node" for host in found)
    }
    alone = [name for name, node in nodes.items() if node["role"] == "node" and name not in seen]
    if alone:
        hosts[""] = alone
    columns = max(1, _COLUMNS // max(1, len(hosts)))
    return [_Rack(name, found, min(columns, len(found))) for name, found in hosts.items()]


def _is_host(node: Topology) -> bool:
    return node["role"] in HOSTS


def _layers(
    nodes: Mapping[str, Topology], links: Sequence[Topology], racks: Sequence[_Rack]
) -> list[list[str]]:
    """All but the racks' hosts, from the top: by distance from the racks' switches, those last."""
    layers = [[rack.switch for rack in racks]]
    placed = set(layers[0])
    racked = {host for rack in racks for host in rack.hosts}
    fabric = [name for name in nodes if name not in racked]
    while True:
        near = {end for link in links for end in (link["a"], link["b"]) if _touches(link, placed)}
        found = [name for name in fabric if name in near and name not in placed]
        if not found:
            rest = [name for name in fabric if name not in placed]
            return [*([rest] if rest else []), *layers]
        layers.insert(0, found)
        placed.update(found)


def _touches(link: Topology, names: set[str]) -> bool:
    return link["a"] in names or link["b"] in names


def _places(
    racks: Sequence[_Rack], layers: Sequence[Sequence[str]], width: int
) -> dict[str, tuple[float, float]]:
    """The centre of each box."""
    place: dict[str, tuple[float, float]] = {}
    for depth, layer in enumerate(layers[:-1]):
        for index, name in enumerate(layer):
            x = (index + 0.5) * (width - 2 * _PAD) / len(layer) + _PAD
            place[name] = (x, _PAD + _HEIGHT / 2 + depth * _LAYER)
    left = (width - sum(rack.width for rack in racks)) / 2
    top = _PAD + _HEIGHT / 2 + (len(layers) - 1) * _LAYER
    for rack in racks:
        place[rack.switch] = (left + rack.width / 2, top)
        for index, host in enumerate(rack.hosts):
            column, row = index % rack.columns, index // rack.columns
            x = left + column * rack.width / rack.columns + _GAP / 2 + _STUB + _BOX / 2
            place[host] = (x, top + _LAYER - 14 + row * (_HEIGHT + _GAP))
        left += rack.width
    return place


def _lines(
    racks: Sequence[_Rack], links: Sequence[Topology], place: Mapping[str, tuple[float, float]]
) -> Iterable[str]:
    """The racks' lines, and straight ones for all other links."""
    drawn = _racked(racks)
    harmed = {frozenset((link["a"], link["b"])) for link in links if impaired(link)}
    for rack in racks:
        if rack.switch:
            yield from _rack_lines(rack, harmed, place)
    for link in links:
        if frozenset((link["a"], link["b"])) not in drawn:
            (x1, y1), (x2, y2) = place[link["a"]], place[link["b"]]
            yield _path(f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}", dashed=impaired(link))


def _racked(racks: Sequence[_Rack]) -> set[frozenset[str]]:
    """The ends of the links that are drawn as taps of a rack's line."""
    return {frozenset((rack.switch, host)) for rack in racks for host in rack.hosts}


def _rack_lines(
    rack: _Rack, harmed: set[frozenset[str]], place: Mapping[str, tuple[float, float]]
) -> Iterable[str]:
    """From the switch down to a bar, from the bar down each column, and a tap to each host."""
    x, y = place[rack.switch]
    bar = y + _HEIGHT / 2 + 8
    sides = [place[host][0] - _BOX / 2 - _STUB for host in rack.hosts]
    yield _path(f"M{x:.1f} {y:.1f}V{bar:.1f}M{min(*sides, x):.1f} {bar:.1f}H{max(*sides, x):.1f}")
    levels = [place[host][1] for host in rack.hosts]
    lowest = dict(zip(sides, levels, strict=True))  # hosts go down row by row: the last one stays
    yield _path("".join(f"M{side:.1f} {bar:.1f}V{level:.1f}" for side, level in lowest.items()))
    for host, side, level in zip(rack.hosts, sides, levels, strict=True):
        dashed = frozenset((rack.switch, host)) in harmed
        yield _path(f"M{side:.1f} {level:.1f}h{_STUB}", dashed=dashed)


def _path(data: str, *, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="4 3"' if dashed else ""
    return f'<path d="{data}" fill="none" stroke="currentColor"{dashes}/>'


def _marks(
    racks: Sequence[_Rack],
    links: Sequence[Topology],
    marks: Mapping[int, str],
    place: Mapping[str, tuple[float, float]],
) -> Iterable[str]:
    """The marks of the links that differ: on a host's tap, or near the lower end."""
    taps = _racked(racks)
    for index, mark in marks.items():
        low, high = sorted((links[index][end] for end in ("a", "b")), key=lambda n: -place[n][1])
        (x, y), (x2, y2) = place[low], place[high]
        if frozenset((low, high)) in taps:
            x -= _BOX / 2 + _STUB / 2
        else:
            x, y = x + (x2 - x) * _TOWARDS, y + (y2 - y) * _TOWARDS
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="var(--paper)" stroke="currentColor"/>'
        yield _text(x, y + 4, mark, bold=True)


def _boxes(
    nodes: Mapping[str, Topology], place: Mapping[str, tuple[float, float]]
) -> Iterable[str]:
    """A box for each host and switch, its colour by role; fabric is round, hosts are square."""
    colours = {"node": 1, "external": 2, "router": 3, OPENVSWITCH: 4}
    for name, node in nodes.items():
        (x, y), role = place[name], role_of(node)
        stroke = f"var(--series-{colours[role]})" if role in colours else "currentColor"
        radius = 3 if role in HOSTS else 20
        yield (
            f'<rect x="{x - _BOX / 2:.1f}" y="{y - _HEIGHT / 2:.1f}" width="{_BOX}" '
            f'height="{_HEIGHT}" rx="{radius}" fill="var(--paper)" stroke="{stroke}" '
            f'stroke-width="1.5"/>'
        )
        said = [str(node[field]) for field in ("address", "pod_cidr") if node.get(field)]
        lines = [name if role in ("node", OPENVSWITCH) else f"{name} ({role})", *said]
        if role == OPENVSWITCH:
            lines.append(role)
        for index, line in enumerate(lines):
            level = y + 4 + 13 * (index - (len(lines) - 1) / 2)
            yield _text(x, level, line, bold=index == 0)


def role_of(node: Topology) -> str:
    """What a host or switch is: its role, or ``Open vSwitch``."""
    return OPENVSWITCH if node.get("kind") == "openvswitch" else str(node["role"])


def _text(x: float, y: float, text: str, *, anchor: str = "middle", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight} '
        f'fill="currentColor">{escape(text)}</text>'
    )
