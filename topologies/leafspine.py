"""A routed fabric: racks below leaves, every leaf on every spine, and a border router.

With plain Mininet, which reads this file by itself (it needs nothing of this project)::

    mn --custom topologies/leafspine.py --topo leafspine,spines=2,leaves=2,nodes=2 \
        --switch lxbr --controller none --test pingall

Spines, leaves and the border are routers, each rack is a switch and a subnet of its own::

           sp1 ─┬───────┬────────┐          (each of l1, l2, b1 on each of sp1, sp2)
           sp2 ─┤       │        │
                l1      l2       b1
                │       │        │
                s1      s2       sb100
              n1 n2    n3 n4    client

Addresses and AS numbers:

- rack *i*: 192.168.i.0/24; the leaf ``li`` is .1, nodes are .11 …; AS 65000 + i;
- outside the cluster: 192.168.100.0/24; the border ``b1`` is .1, ``client`` is .200; AS 65100;
- between spine *j* and leaf *i*: 10.0.j.2(i - 1)/31, the spine even, the leaf odd (RFC 3021); the
  border comes after the last leaf;
- all spines are AS 65000, so that no path leads down and up again (RFC 7938, section 5.2.1).

Under plain ``mn`` the routers have static routes, with all spines as next hops. A lab of this
project runs BGP instead, between the same neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mininet.node import Node
from mininet.topo import Topo

MOST_SPINES = 32
MOST_LEAVES = 99  # rack 100 is the border's
MOST_NODES = 189  # in a rack, .11 to .199
MOST_EXTERNALS = 50
BORDER = 100
SPINE_AS = 65000

Routes = list[tuple[str, list[str]]]


class Router(Node):  # type: ignore[misc]
    """A host that forwards IPv4; its links carry its addresses."""

    def config(self, routes: Sequence[tuple[str, Sequence[str]]] = (), **params: Any) -> Any:
        """Configures the host as Mininet does, has it forward, and sets its static routes.

        Args:
            routes: Pairs of a destination and its next hops; several are equal-cost paths.
            params: What Mininet's own ``Node.config`` takes.
        """
        result = super().config(**params)
        self.cmd("sysctl -w net.ipv4.ip_forward=1")
        for destination, next_hops in routes:
            hops = " ".join(f"nexthop via {hop}" for hop in next_hops)
            self.cmd(f"ip route replace {destination} {hops}")
        return result


class LeafSpine(Topo):  # type: ignore[misc]
    """Leaves with a rack each, spines above them, and a border with the external hosts."""

    def build(
        self, nodes: int = 2, *, spines: int = 2, leaves: int = 2, externals: int = 1
    ) -> None:
        """Builds the graph; Mininet's constructor calls it.

        Args:
            nodes: How many nodes below *each* leaf, 1 to 189.
            spines: How many spines, 1 to 32.
            leaves: How many leaves, 1 to 99.
            externals: How many hosts below the border, 0 to 50.

        Raises:
            ValueError: A count is out of range.
        """
        limits = {"spines": (spines, 1, MOST_SPINES), "leaves": (leaves, 1, MOST_LEAVES)}
        limits["nodes"] = (nodes, 1, MOST_NODES)
        limits["externals"] = (externals, 0, MOST_EXTERNALS)
        for what, (value, least, most) in limits.items():
            if not least <= value <= most:
                raise ValueError(f"{what} must be {least} to {most} here, not {value}")
        self._spines, self._racks = spines, [*range(1, leaves + 1), BORDER]
        for spine in range(1, spines + 1):
            routes = self._spine_routes(spine)
            address = f"{self._spine_end(spine, 0)}/31"
            self._router(f"sp{spine}", SPINE_AS, address, routes)
        for position, rack in enumerate(self._racks):
            self._leaf(position, rack)
        for i in range(nodes * leaves):
            self._attach(f"n{i + 1}", "node", i // nodes + 1, 11 + i % nodes)
        for i in range(externals):
            self._attach(f"client{i + 1}" if i else "client", "external", BORDER, 200 + i)

    @staticmethod
    def _spine_end(spine: int, position: int) -> str:
        """The spine's address on its link to the leaf at a position (the border is the last)."""
        return f"10.0.{spine}.{2 * position}"

    @staticmethod
    def _leaf_end(spine: int, position: int) -> str:
        return f"10.0.{spine}.{2 * position + 1}"

    def _spine_routes(self, spine: int) -> Routes:
        """Each rack by its leaf, and the links of the other spines by the leaves on them."""
        routes: Routes = []
        for position, rack in enumerate(self._racks):
            hop = [self._leaf_end(spine, position)]
            routes.append((f"192.168.{rack}.0/24", hop))
            others = (other for other in range(1, self._spines + 1) if other != spine)
            routes += [(f"{self._spine_end(other, position)}/31", hop) for other in others]
        return routes

    def _leaf_routes(self, position: int) -> Routes:
        """The other racks by all spines, and the other leaves' links by the spine on them."""
        routes: Routes = []
        spines = range(1, self._spines + 1)
        for other, rack in enumerate(self._racks):
            if other == position:
                continue
            hops = [self._spine_end(spine, position) for spine in spines]
            routes.append((f"192.168.{rack}.0/24", hops))
            routes += [(f"{self._spine_end(s, other)}/31", [hops[s - 1]]) for s in spines]
        return routes

    def _leaf(self, position: int, rack: int) -> None:
        """A leaf (or the border) with its rack switch and its links to every spine."""
        name, switch = ("b1", "sb100") if rack == BORDER else (f"l{rack}", f"s{rack}")
        address = f"192.168.{rack}.1/24"
        self._router(name, SPINE_AS + rack, address, self._leaf_routes(position))
        self.addSwitch(switch)
        self.addLink(name, switch, params1={"ip": address})
        for spine in range(1, self._spines + 1):
            own, peer = self._leaf_end(spine, position), self._spine_end(spine, position)
            self.addLink(
                name,
                f"sp{spine}",
                params1={"ip": f"{own}/31"},
                params2={"ip": f"{peer}/31"},
            )

    def _router(self, name: str, asn: int, address: str, routes: Routes) -> None:
        self.addHost(name, cls=Router, role="router", asn=asn, ip=address, routes=routes)

    def _attach(self, name: str, role: str, rack: int, last: int) -> None:
        """A host in a rack; nodes have the rack as their zone."""
        zone = {"zone": f"rack{rack}"} if role == "node" else {}
        self.addHost(
            name,
            role=role,
            ip=f"192.168.{rack}.{last}/24",
            defaultRoute=f"via 192.168.{rack}.1",
            **zone,
        )
        self.addLink(name, "sb100" if rack == BORDER else f"s{rack}")


topos = {"leafspine": LeafSpine}
