"""The topology of a campaign, drawn.

Fabric on top (spines and routers above the switches that carry nodes), and below each of those its
hosts as in a rack: in columns beside a vertical line that taps into each. So neither lines nor
labels cross, however many nodes there are. A host outside the cluster whose switch carries no node
is drawn with the fabric. What the links have in common is said once below; one that differs carries
its own label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from testbed.analysis import units

Topology = Mapping[str, Any]
"""``nodes``: name, role (node, external, router, switch), address, pod_cidr; ``links``: a, b, rate,
mtu, delay. As in ``environment.json``."""

_BOX, _HEIGHT = 132, 46  # a host or a switch
_STUB = 14  # from a rack's line to a host
_GAP = 18
_LAYER = 92  # from one layer of the fabric to the next
_COLUMNS = 6  # hosts beside each other in the whole drawing
_PAD = 12
_HOSTS = frozenset({"node", "external"})


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

    It uses ``currentColor`` and the page's ``--rule``, ``--paper`` and ``--series-1`` to ``-3``.
    """
    nodes = {str(node["name"]): node for node in topology.get("nodes", [])}
    links = [one for one in topology.get("links", []) if one["a"] in nodes and one["b"] in nodes]
    racks = _racks(nodes, links)
    layers = _layers(nodes, links, racks)
    fabric_width = max((len(layer) * (_BOX + _GAP) for layer in layers), default=0)
    width = max(sum(rack.width for rack in racks), fabric_width) + 2 * _PAD
    place = _places(racks, layers, width)
    below = [rack.rows for rack in racks if rack.hosts]
    height = len(layers) * _LAYER + max(below, default=0) * (_HEIGHT + _GAP) + 3 * _PAD
    kinds = _kinds(nodes, links)
    caption = " ".join(filter(None, map(_caption, kinds, kinds.values()))) or "No links."
    parts = [
        f'<g opacity="0.6">{"".join(_lines(racks, links, place))}</g>',
        *_boxes(nodes, place),
        *(label for kind in kinds.values() for label in _labels(kind, place)),
        _text(_PAD, height - 6, caption, anchor="start"),
    ]
    return (
        f'<svg viewBox="0 0 {width} {height}" style="max-width: {max(width, 420)}px" '
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
    return node["role"] in _HOSTS


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
    drawn: set[frozenset[str]] = set()
    for rack in racks:
        drawn |= {frozenset((rack.switch, host)) for host in rack.hosts}
        if rack.switch:
            yield from _rack_lines(rack, place)
    for link in links:
        if frozenset((link["a"], link["b"])) not in drawn:
            (x1, y1), (x2, y2) = place[link["a"]], place[link["b"]]
            yield _path(f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}")


def _rack_lines(rack: _Rack, place: Mapping[str, tuple[float, float]]) -> Iterable[str]:
    """From the switch down to a bar, from the bar down each column, and a tap to each host."""
    x, y = place[rack.switch]
    bar = y + _HEIGHT / 2 + 8
    sides = [place[host][0] - _BOX / 2 - _STUB for host in rack.hosts]
    yield _path(f"M{x:.1f} {y:.1f}V{bar:.1f}M{min(*sides, x):.1f} {bar:.1f}H{max(*sides, x):.1f}")
    levels = [place[host][1] for host in rack.hosts]
    lowest = dict(zip(sides, levels, strict=True))  # hosts go down row by row: the last one stays
    yield _path("".join(f"M{side:.1f} {bar:.1f}V{level:.1f}" for side, level in lowest.items()))
    taps = (f"M{side:.1f} {level:.1f}h{_STUB}" for side, level in zip(sides, levels, strict=True))
    yield _path("".join(taps))


def _path(data: str) -> str:
    return f'<path d="{data}" fill="none" stroke="currentColor"/>'


def _boxes(
    nodes: Mapping[str, Topology], place: Mapping[str, tuple[float, float]]
) -> Iterable[str]:
    """A box for each host and switch, its colour by role; fabric is round, hosts are square."""
    colours = {"node": 1, "external": 2, "router": 3}
    for name, node in nodes.items():
        (x, y), role = place[name], str(node["role"])
        stroke = f"var(--series-{colours[role]})" if role in colours else "currentColor"
        radius = 3 if role in _HOSTS else 20
        yield (
            f'<rect x="{x - _BOX / 2:.1f}" y="{y - _HEIGHT / 2:.1f}" width="{_BOX}" '
            f'height="{_HEIGHT}" rx="{radius}" fill="var(--paper)" stroke="{stroke}" '
            f'stroke-width="1.5"/>'
        )
        said = [str(node[field]) for field in ("address", "pod_cidr") if node.get(field)]
        lines = [f"{name} ({role})" if role != "node" else name, *said]
        for index, line in enumerate(lines):
            level = y + 4 + 13 * (index - (len(lines) - 1) / 2)
            yield _text(x, level, line, bold=index == 0)


def _text(x: float, y: float, text: str, *, anchor: str = "middle", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight} '
        f'fill="currentColor">{escape(text)}</text>'
    )


def _properties(link: Topology) -> str:
    """What is set on a link, in words; empty if nothing is."""
    said = []
    for field, unit in (("rate", "bit/s"), ("delay", "s")):
        value = link.get(field)
        if isinstance(value, (int, float)) and value:
            said.append(f"{field} {units.quantity(float(value), unit)}")
        elif value:
            said.append(f"{field} {value}")
    return ", ".join([*said, *([f"MTU {link['mtu']}"] if link.get("mtu") else [])])


def _kinds(nodes: Mapping[str, Topology], links: Sequence[Topology]) -> dict[str, list[Topology]]:
    """The links to hosts and those within the fabric, which often differ."""
    kinds: dict[str, list[Topology]] = {"Links to hosts": [], "Links of the fabric": []}
    for link in links:
        to_host = _is_host(nodes[link["a"]]) or _is_host(nodes[link["b"]])
        kinds["Links to hosts" if to_host else "Links of the fabric"].append(link)
    return kinds


def _usual(links: Sequence[Topology]) -> str:
    """What most of the links have."""
    return Counter(map(_properties, links)).most_common(1)[0][0] if links else ""


def _labels(links: Sequence[Topology], place: Mapping[str, tuple[float, float]]) -> Iterable[str]:
    """The labels of links that are not as most of their kind, at the link's middle, on paper."""
    usual = _usual(links)
    for link in links:
        text = _properties(link) or "no limit"
        if _properties(link) == usual:
            continue
        (x1, y1), (x2, y2) = place[link["a"]], place[link["b"]]
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        half = len(text) * 3.4 + 3
        yield (
            f'<rect x="{x - half:.1f}" y="{y - 9:.1f}" width="{2 * half:.1f}" height="17" '
            f'fill="var(--paper)"/>'
        )
        yield _text(x, y + 4, text)


def _caption(kind: str, links: Sequence[Topology]) -> str:
    """What the links of a kind have in common; empty if there are none."""
    if not links:
        return ""
    usual = _usual(links)
    same = all(_properties(link) == usual for link in links)
    return f"{kind}: {usual or 'no limit'}{'' if same else ' unless labelled'}."
