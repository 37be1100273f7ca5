"""What a switch's tables hold, in names: three tables of flows, and groups.

A frame goes through the tables in turn:

``SOURCE``
    Frames from another switch pass. From an edge port, frames pass whose source is known to be
    there; of any other the controller gets a copy, to learn from, and the frame passes too.
``DESTINATION``
    A known destination: out of the port where it is, or to the group that leads to its switch.
``FLOOD``
    Anything else (broadcast, multicast, unknown destinations), if it came from an edge port or
    over a link of the spanning tree: to the group ``FLOOD_GROUP``, which is every edge port and
    every port of the tree but the one it came from. A link carries such frames only if *both* of
    its switches count it to the tree.

There is one group for each other switch: it selects one of the shortest paths by a hash of the
frame, and skips ports without a carrier. So what a link failure changes is groups, as many as there
are switches, however many hosts there are. Every group exists from the beginning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Literal, NamedTuple

from testbed.sdn.graph import Fabric, Port, Way

SOURCE, DESTINATION, FLOOD = 0, 1, 2
"""Numbers of the tables."""

FLOOD_GROUP = 0x10000
"""The group that floods; any other group's number is a datapath id."""


class FlowKey(NamedTuple):
    """What identifies a flow: its table, priority and match.

    Attributes:
        table: Number of the table.
        priority: Higher ones go first.
        port: Name of the port that the frame came in by; None for any.
        source: Source MAC address; None for any.
        destination: Destination MAC address; None for any.
    """

    table: int
    priority: int
    port: str | None = None
    source: str | None = None
    destination: str | None = None


class GroupKey(NamedTuple):
    """What identifies a group: its number."""

    number: int


class Action(NamedTuple):
    """What a flow does.

    Attributes:
        kind: ``goto`` a table; ``tell``, which gives the controller a copy and goes to a table;
            ``output`` to a port; ``group``.
        target: Number of the table or group; name of the port.
    """

    kind: Literal["goto", "tell", "output", "group"]
    target: int | str


class Group(NamedTuple):
    """What a group does.

    Attributes:
        kind: ``select`` one of its ports that are up; ``all`` of its ports.
        ports: Their names.
    """

    kind: Literal["select", "all"]
    ports: tuple[str, ...]


Key = FlowKey | GroupKey
Value = Action | Group
Rules = Mapping[Key, Value]
"""All that a switch's tables hold."""


def basic(fabric: Fabric, switch: str) -> Iterator[tuple[Key, Value]]:
    """The flows that a switch has in any case."""
    for port in fabric.ports[switch]:
        edge = fabric.is_edge(port)
        kind: Literal["tell", "goto"] = "tell" if edge else "goto"
        yield FlowKey(SOURCE, 10, port=port.name), Action(kind, DESTINATION)
        if edge:
            yield floods(port)
    yield FlowKey(DESTINATION, 0), Action("goto", FLOOD)


def floods(port: Port) -> tuple[Key, Value]:
    """The flow by which frames that came in by a port are flooded."""
    return FlowKey(FLOOD, 10, port=port.name), Action("group", FLOOD_GROUP)


def flooding(fabric: Fabric, switch: str, tree: AbstractSet[Port]) -> Iterator[tuple[Key, Value]]:
    """A switch's part of the spanning tree: the group, and the flows that let frames into it."""
    ports = fabric.ports[switch]
    member = tuple(port.name for port in ports if fabric.is_edge(port) or port in tree)
    yield GroupKey(FLOOD_GROUP), Group("all", member)
    yield from (floods(port) for port in ports if port in tree)


def tree_of(fabric: Fabric, switch: str, keys: Iterable[Key]) -> Iterator[Port]:
    """The ports of the spanning tree in the rules that :func:`flooding` once made."""
    for key in keys:
        if isinstance(key, FlowKey) and key.table == FLOOD and key.port is not None:
            port = Port(switch, key.port)
            if port in fabric.peers and not fabric.is_edge(port):
                yield port


def path(fabric: Fabric, destination: str, way: Way | None) -> tuple[Key, Value]:
    """The group by which a switch reaches another one; without a way there, it drops.

    Args:
        fabric: The fabric.
        destination: The other switch.
        way: How the switch reaches it.
    """
    ports = () if way is None else tuple(port.name for port in way.ports)
    return GroupKey(fabric.dpids[destination]), Group("select", ports)


def source(port: Port, mac: str) -> tuple[Key, Value]:
    """The flow by which a host is known at its port."""
    return FlowKey(SOURCE, 20, port=port.name, source=mac), Action("goto", DESTINATION)


def host_of(key: Key) -> tuple[str, str] | None:
    """The port and MAC address in a flow that :func:`source` made; None for any other key."""
    if isinstance(key, FlowKey) and key.table == SOURCE and key.source and key.port:
        return key.port, key.source
    return None


def destination(fabric: Fabric, switch: str, port: Port, mac: str) -> tuple[Key, Value]:
    """The flow by which a switch sends to a host that is at a port, its own or another one's."""
    key = FlowKey(DESTINATION, 10, destination=mac)
    if switch == port.switch:
        return key, Action("output", port.name)
    return key, Action("group", fabric.dpids[port.switch])


def digest(value: Value) -> int:
    """What a flow does, in 48 bits: the lower part of its cookie.

    A controller that starts anew reads the switches' flows and knows by their cookies whether they
    are what it wants, without decoding what they do.
    """
    text = repr(tuple(value)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest(), "big")
