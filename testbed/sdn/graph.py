"""The fabric as a graph: shortest paths and the spanning tree, on what is live of it.

The graph is what the configuration says; the switches say which ports are up. A link is live when
both of its ends are.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple


class Port(NamedTuple):
    """A port of a switch, both by name: ``Port("l1", "l1-eth3")``."""

    switch: str
    name: str


@dataclass(frozen=True)
class Fabric:
    """The switches and what their ports lead to, live or not.

    Attributes:
        dpids: Switch → datapath id.
        peers: Port → the port at the other end of its link, or the name of the host there.
    """

    dpids: Mapping[str, int]
    peers: Mapping[Port, Port | str]

    @cached_property
    def names(self) -> Mapping[int, str]:
        """Datapath id → switch."""
        return {dpid: name for name, dpid in self.dpids.items()}

    @cached_property
    def ports(self) -> Mapping[str, tuple[Port, ...]]:
        """Switch → its ports, in the order of the configuration."""
        found: dict[str, list[Port]] = {name: [] for name in self.dpids}
        for port in self.peers:
            found[port.switch].append(port)
        return {name: tuple(ports) for name, ports in found.items()}

    def is_edge(self, port: Port) -> bool:
        """Whether hosts are behind a port, and not another switch of the fabric."""
        return isinstance(self.peers[port], str)

    def neighbours(self, switch: str, up: AbstractSet[Port]) -> Iterator[tuple[Port, Port]]:
        """The live links of a switch: its own port and the other switch's.

        Args:
            switch: The switch.
            up: All ports that are up.
        """
        for port in self.ports[switch]:
            peer = self.peers[port]
            if isinstance(peer, Port) and port in up and peer in up:
                yield port, peer


@dataclass(frozen=True, slots=True)
class Way:
    """How a switch reaches another one.

    Attributes:
        distance: In links.
        ports: The switch's own ports with which shortest paths begin; none at the destination.
    """

    distance: int
    ports: tuple[Port, ...]


def ways(fabric: Fabric, up: AbstractSet[Port], destination: str) -> Mapping[str, Way]:
    """How each switch reaches a destination, by all shortest paths; absent are those that do not.

    Every link counts as 1. Whichever way a frame takes, each link brings it nearer, so it never
    comes back.

    Args:
        fabric: The fabric.
        up: All ports that are up.
        destination: A switch.
    """
    distance, ports, queue = {destination: 0}, defaultdict[str, list[Port]](list), [destination]
    for switch in queue:  # it grows: breadth first
        for _, there in fabric.neighbours(switch, up):
            if there.switch not in distance:
                distance[there.switch] = distance[switch] + 1
                queue.append(there.switch)
            if distance[there.switch] == distance[switch] + 1:
                ports[there.switch].append(there)
    return {switch: Way(distance[switch], tuple(sorted(ports[switch]))) for switch in queue}


def tree(fabric: Fabric, up: AbstractSet[Port]) -> frozenset[Port]:
    """The ports at both ends of the links of a spanning tree (of each part, if it is in parts).

    Breadth first from the switch with the most links (live or not; then of the least datapath id),
    so that paths are short and the same live links always give the same tree. Branches on which
    there is no edge port are cut off: nobody is there to be flooded to.
    """

    def rank(switch: str) -> tuple[int, int]:
        inner = sum(not fabric.is_edge(port) for port in fabric.ports[switch])
        return -inner, fabric.dpids[switch]

    links: dict[str, list[tuple[Port, Port]]] = {switch: [] for switch in fabric.dpids}
    seen: set[str] = set()
    for root in sorted(fabric.dpids, key=rank):
        if root not in seen:
            for here, there in _branches(fabric, up, root, seen):
                links[here.switch].append((here, there))
                links[there.switch].append((there, here))
    _prune(fabric, links)
    return frozenset(here for pairs in links.values() for here, _ in pairs)


def _branches(
    fabric: Fabric, up: AbstractSet[Port], root: str, seen: set[str]
) -> Iterator[tuple[Port, Port]]:
    seen.add(root)
    queue = deque([root])
    while queue:
        for here, there in fabric.neighbours(queue.popleft(), up):
            if there.switch not in seen:
                seen.add(there.switch)
                queue.append(there.switch)
                yield here, there


def _prune(fabric: Fabric, links: dict[str, list[tuple[Port, Port]]]) -> None:
    bare = [s for s in fabric.dpids if not any(map(fabric.is_edge, fabric.ports[s]))]
    ends = [switch for switch in bare if len(links[switch]) == 1]
    for switch in ends:  # it grows
        if links[switch]:
            ((here, there),) = links[switch]
            links[switch] = []
            links[there.switch].remove((there, here))
            if there.switch in bare and len(links[there.switch]) == 1:
                ends.append(there.switch)
