"""Switches that do what the rules say, without frames: where a frame would go, whatever its hash.

The rules' meaning is written down here a second time, from the description of
:mod:`testbed.sdn.rules` and from OpenFlow: a group that selects takes any bucket whose port is up;
nothing leaves by the port that it came in by; nothing leaves by, or comes out of, a dead link.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random

from testbed.sdn.core import Core
from testbed.sdn.graph import Fabric, Port
from testbed.sdn.rules import Action, FlowKey, Group, GroupKey, Key, Value, digest

FARTHEST = 64
"""Links after which a frame counts as circling."""


class Circles(AssertionError):
    """A frame circles."""


def fabric_of(links: Iterable[tuple[str, str]], hosts: Iterable[tuple[str, str]]) -> Fabric:
    """A fabric of links between switches and of pairs of a host and its switch."""
    counts: dict[str, Iterator[int]] = {}
    peers: dict[Port, Port | str] = {}

    def port(switch: str) -> Port:
        return Port(switch, f"{switch}-eth{next(counts.setdefault(switch, itertools.count(1)))}")

    for a, b in links:
        one, other = port(a), port(b)
        peers[one], peers[other] = other, one
    for host, switch in hosts:
        peers[port(switch)] = host
    return Fabric({name: i for i, name in enumerate(sorted(counts), start=1)}, peers)


def leafspine(spines: int = 2, leaves: int = 3) -> Fabric:
    """Leaves l1 … with a host each (h1 …), on spines s1 …."""
    links = [(f"l{i}", f"s{j}") for i in range(1, leaves + 1) for j in range(1, spines + 1)]
    return fabric_of(links, [(f"h{i}", f"l{i}") for i in range(1, leaves + 1)])


def mac(host: str) -> str:
    """The MAC address of a host by its name's number."""
    return f"02:00:00:00:00:{int(host[1:]):02x}"


@dataclass
class Model:
    """The switches.

    Attributes:
        fabric: What they are joined as.
        up: Ports that are up.
        tables: Switch → what it holds.
    """

    fabric: Fabric
    up: set[Port] = field(default_factory=set)
    tables: dict[str, dict[Key, Value]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.up = set(self.fabric.peers)
        self.tables = {switch: {} for switch in self.fabric.dpids}

    def home(self, host: str) -> Port:
        """The port where a host is."""
        return next(port for port, peer in self.fabric.peers.items() if peer == host)

    def set(self, switch: str, key: Key, value: Value | None) -> None:
        """What a switch does with a message; it refuses a flow to a group that it lacks."""
        if value is None:
            self.tables[switch].pop(key, None)
            return
        if isinstance(value, Action) and value.kind == "group":
            assert GroupKey(int(value.target)) in self.tables[switch], (switch, key, value)
        self.tables[switch][key] = value

    def holds(self, switch: str) -> dict[Key, int]:
        """What a switch reports of its flows."""
        table = self.tables[switch]
        return {key: digest(value) for key, value in table.items() if isinstance(key, FlowKey)}

    def connect(self, core: Core) -> None:
        """Connects every switch."""
        for switch in self.fabric.dpids:
            ports = [port for port in self.fabric.ports[switch] if port in self.up]
            core.connect(switch, ports, self.holds(switch))

    def set_link(self, core: Core, port: Port, up: bool) -> None:
        """Takes a link up or down, and tells the controller of both ends."""
        peer = self.fabric.peers[port]
        ends = {port, peer} if isinstance(peer, Port) else {port}
        self.up = self.up | ends if up else self.up - ends
        for end in sorted(ends):
            core.set_port(end, up)

    def carry_out(self, core: Core, random: Random | None = None) -> Iterator[None]:
        """Carries out all steps, and stops after each message; switches take turns by chance."""
        todo: dict[str, list[tuple[Key, Value | None]]] = {}
        while True:
            for switch, changes in core.step().items():  # asked after each event, as in earnest
                todo.setdefault(switch, []).extend(changes)
            if not todo:
                return
            switch = random.choice(sorted(todo)) if random else next(iter(todo))
            self.set(switch, *todo[switch].pop(0))
            if not todo[switch]:
                del todo[switch]
                core.confirm(switch)
            yield

    def settle(self, core: Core) -> None:
        """Carries out all steps."""
        for _ in self.carry_out(core):
            pass
        assert core.settled

    # Frames

    def broadcast(self, host: str) -> list[str]:
        """Whom a broadcast of a host reaches, each as often as it does."""
        (reached,) = self._from(host, "ff:ff:ff:ff:ff:ff")
        return sorted(reached)

    def unicast(self, host: str, to: str) -> list[list[str]]:
        """Whom a frame from a host to another one reaches, for each way that it can be hashed."""
        return [sorted(reached) for reached in self._from(host, mac(to))]

    def _from(self, host: str, destination: str) -> list[list[str]]:
        home = self.home(host)
        return self._at(home, mac(host), destination, 0) if home in self.up else [[]]

    def _at(self, port: Port, source: str, destination: str, links: int) -> list[list[str]]:
        """A frame comes in: for each way that it can be hashed, the hosts that it reaches."""
        if links > FARTHEST:
            raise Circles(f"{source} to {destination} at {port}")
        found: list[list[str]] = []
        for ports in self._out(port, source, destination):
            ways = [self._to(Port(port.switch, name), source, destination, links) for name in ports]
            found += [list(itertools.chain(*way)) for way in itertools.product(*ways)]
        return found

    def _to(self, port: Port, source: str, destination: str, links: int) -> list[list[str]]:
        peer = self.fabric.peers[port]
        if port not in self.up:
            return [[]]
        if isinstance(peer, str):
            return [[peer]]
        return self._at(peer, source, destination, links + 1)

    def _out(self, port: Port, source: str, destination: str) -> list[list[str]]:
        """The ports that a frame leaves by, for each way that it can be hashed."""
        table, number, here = self.tables[port.switch], 0, port.name
        while True:
            keys = [
                key
                for key in table
                if isinstance(key, FlowKey)
                and key.table == number
                and key.port in (None, here)
                and key.source in (None, source)
                and key.destination in (None, destination)
            ]
            if not keys:
                return [[]]
            action = table[max(keys, key=lambda key: key.priority)]
            assert isinstance(action, Action)
            if action.kind in ("goto", "tell"):
                number = int(action.target)
                continue
            if action.kind == "output":
                return [[name for name in [str(action.target)] if name != here]]
            group = table[GroupKey(int(action.target))]
            assert isinstance(group, Group)
            return self._group(port, group)

    def _group(self, port: Port, group: Group) -> list[list[str]]:
        if group.kind == "all":
            return [[name for name in group.ports if name != port.name]]
        alive = [name for name in group.ports if Port(port.switch, name) in self.up]
        return [[name] if name != port.name else [] for name in alive] or [[]]
