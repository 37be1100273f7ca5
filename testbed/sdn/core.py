"""What the controller knows, and what it has each switch told next. Nothing here does any I/O.

Events come in (a switch connected with what it holds, a port went down, a frame came from a new
source, a switch confirmed), and :meth:`Core.step` says what to send. Between what is wanted and
what was sent there is a difference, item by item; a step is a part of it. The next step is given
only when every switch has confirmed (by a barrier) the last one. So the order of steps holds across
switches, and it is this:

- What leads to one switch is changed in the order of the distance from it. A switch that changes
  over then sends frames only to switches that have changed over before, so frames neither circle
  nor come to one that knows no way, whatever the change (the order is known from link-state
  routing: RFC 6976, "oFIB"; there it takes timers, here barriers). After a far failure the first to
  change are the switches that must stop using the dead path: nothing is waited for before.
- A spanning tree that changes first loses links everywhere, then gains links: never a loop.
- What is wanted no more is removed last.

These orders are kept side by side: a step has the next part of each.

Hosts are learned from the frames that they send, and do not age: who is at an edge port is known,
a host that moves is seen at once by its first frame at another port, and the loss of an edge port's
carrier forgets those behind it, as bridges do. What a timer would add is that a host which is
silent for long is flooded to, in the middle of a measurement.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain

from testbed.sdn import rules
from testbed.sdn.graph import Fabric, Port, Way, tree, ways
from testbed.sdn.rules import FlowKey, GroupKey, Key, Value

Step = Mapping[str, list[tuple[Key, Value | None]]]
"""Switch → what to set, and with None what to delete, in this order."""

_FLOOD = GroupKey(rules.FLOOD_GROUP)
_LAST = 1 << 30


class Core:
    """The controller without its connections.

    Args:
        fabric: The switches, and what their ports lead to.

    Attributes:
        fabric: The same.
        hosts: MAC address → the edge port where it is.
        up: The ports that are up.
        connected: The switches that are connected.
    """

    def __init__(self, fabric: Fabric) -> None:
        self.fabric = fabric
        self.hosts: dict[str, Port] = {}
        self.up: set[Port] = set()
        self.connected: set[str] = set()
        self._waiting = True
        self._wanted: dict[str, dict[Key, Value]] = {
            switch: dict(rules.basic(fabric, switch)) for switch in fabric.dpids
        }
        self._sent: dict[str, dict[Key, int]] = {switch: {} for switch in fabric.dpids}
        self._dirty: set[tuple[str, Key]] = set()
        self._unconfirmed: set[str] = set()
        self._ways: dict[str, Mapping[str, Way]] = {}
        self._tree: frozenset[Port] = frozenset()  # over which the switches shall flood now
        self._whole: frozenset[Port] = frozenset()  # over which they shall in the end

    # Events

    def connect(self, switch: str, up: Iterable[Port], holds: Mapping[Key, int]) -> None:
        """A switch connected.

        Nothing is sent before all are, or :meth:`wait_no_longer`: what they hold, taken together,
        is what a controller before this one knew.

        Args:
            switch: Its name.
            up: Its ports that are up.
            holds: Its flows, with the digests of what they do. Of its groups nothing is known.
        """
        self.connected.add(switch)
        self._unconfirmed.discard(switch)
        self._sent[switch] = dict(holds)
        self._dirty |= {(switch, key) for key in (*holds, *self._wanted[switch])}
        for port, mac in filter(None, map(rules.host_of, holds)):
            if mac not in self.hosts:
                self.learn(Port(switch, port), mac)
        self.up = {port for port in self.up if port.switch != switch} | set(up)
        self._forget_behind(port for port in self.fabric.ports[switch] if port not in self.up)
        if self._waiting and self.connected == set(self.fabric.dpids):
            self.wait_no_longer()
        else:
            self._route()

    def wait_no_longer(self) -> None:
        """Goes on without the switches that did not connect; their links count as down."""
        if self._waiting:
            self._waiting = False
            held = (rules.tree_of(self.fabric, name, keys) for name, keys in self._sent.items())
            self._tree = frozenset(chain.from_iterable(held))
            self._route()

    def disconnect(self, switch: str) -> None:
        """A switch's connection ended; it goes on forwarding, so its links stay what they are."""
        self.connected.discard(switch)
        self._unconfirmed.discard(switch)

    def set_port(self, port: Port, up: bool) -> None:
        """A port went up or down."""
        if port not in self.fabric.peers or up is (port in self.up):
            return
        self.up ^= {port}
        if not up:
            self._forget_behind([port])
        if not self.fabric.is_edge(port):
            self._route()

    def learn(self, port: Port, mac: str) -> None:
        """A frame came from a host; one that was elsewhere has moved."""
        old = self.hosts.get(mac)
        if old == port or port not in self.fabric.peers or not self.fabric.is_edge(port):
            return
        if old is not None:
            self._want_not(old.switch, rules.source(old, mac)[0])
        self.hosts[mac] = port
        self._want(port.switch, *rules.source(port, mac))
        for switch in self.fabric.dpids:
            self._want(switch, *rules.destination(self.fabric, switch, port, mac))

    def confirm(self, switch: str) -> None:
        """A switch has carried out all that it was sent."""
        self._unconfirmed.discard(switch)

    # Answers

    @property
    def settled(self) -> bool:
        """Whether every switch is connected and has confirmed all that is wanted."""
        everyone = self.connected == set(self.fabric.dpids)
        return everyone and not (self._waiting or self._unconfirmed or self._dirty)

    def step(self) -> Step:
        """What to send now, each switch's part with a barrier behind it; empty for nothing."""
        if self._waiting or self._unconfirmed:
            return {}
        self._grow_tree()
        chains: dict[Key | str, dict[int, list[tuple[str, Key]]]] = defaultdict(dict)
        for switch, key in list(self._dirty):
            if self._is_sent(switch, key):
                self._dirty.discard((switch, key))
            elif switch in self.connected:
                order, level = self._place(switch, key)
                chains[order].setdefault(level, []).append((switch, key))
        return self._send(chain.from_iterable(levels[min(levels)] for levels in chains.values()))

    def _is_sent(self, switch: str, key: Key) -> bool:
        value = self._wanted[switch].get(key)
        wanted = None if value is None else rules.digest(value)
        return self._sent[switch].get(key) == wanted

    def _send(self, items: Iterable[tuple[str, Key]]) -> Step:
        step: dict[str, list[tuple[Key, Value | None]]] = defaultdict(list)
        # Groups first: a flow must not name one that is not there.
        for switch, key in sorted(items, key=lambda item: isinstance(item[1], FlowKey)):
            value = self._wanted[switch].get(key)
            step[switch].append((key, value))
            if value is None:
                del self._sent[switch][key]
            else:
                self._sent[switch][key] = rules.digest(value)
            self._dirty.discard((switch, key))
        self._unconfirmed |= set(step)
        return step

    def _place(self, switch: str, key: Key) -> tuple[Key | str, int]:
        """What else an item has to keep an order with, and its place in that; see the module."""
        order: Key | str
        if isinstance(key, FlowKey) and key.table == rules.FLOOD:
            return _FLOOD, 0
        if isinstance(key, FlowKey):
            host = self.hosts.get(key.destination or "")
            goal, order = host.switch if host else None, key.destination or key
        else:
            goal, order = self.fabric.names.get(key.number), key
        if key not in self._wanted[switch]:
            return order, _LAST
        way = self._ways[goal].get(switch) if goal else None
        return order, way.distance if way else 0

    # What is wanted

    def _want(self, switch: str, key: Key, value: Value) -> None:
        if self._wanted[switch].get(key) != value:
            self._wanted[switch][key] = value
            self._dirty.add((switch, key))

    def _want_not(self, switch: str, key: Key) -> None:
        if self._wanted[switch].pop(key, None) is not None:
            self._dirty.add((switch, key))

    def _forget_behind(self, ports: Iterable[Port]) -> None:
        lost = set(ports)
        for mac in [mac for mac, port in self.hosts.items() if port in lost]:
            port = self.hosts.pop(mac)
            self._want_not(port.switch, rules.source(port, mac)[0])
            for switch in self.fabric.dpids:
                self._want_not(switch, rules.destination(self.fabric, switch, port, mac)[0])

    def _route(self) -> None:
        """The groups that lead to switches, and a spanning tree that has lost dead links."""
        for goal in self.fabric.dpids:
            self._ways[goal] = ways(self.fabric, self.up, goal)
            for switch in self.fabric.dpids:
                if switch != goal:
                    way = self._ways[goal].get(switch)
                    self._want(switch, *rules.path(self.fabric, goal, way))
        if not self._waiting:
            self._whole = tree(self.fabric, self.up)
            self._flood(self._tree & self._whole)

    def _grow_tree(self) -> None:
        """The whole spanning tree, once every switch has let go of what is not in it."""
        shrinking = any(
            (switch, _FLOOD) in self._dirty and not self._is_sent(switch, _FLOOD)
            for switch in self.connected
        )
        if self._tree != self._whole and not shrinking:
            self._flood(self._whole)

    def _flood(self, ports: frozenset[Port]) -> None:
        """Has every switch flood over these ports; see :func:`testbed.sdn.rules.flooding`."""
        for port in self._tree - ports:
            self._want_not(port.switch, rules.floods(port)[0])
        for switch in self.fabric.dpids:
            for key, value in rules.flooding(self.fabric, switch, ports):
                self._want(switch, key, value)
        self._tree = ports
