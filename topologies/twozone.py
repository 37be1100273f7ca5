"""Two zones, a subnet and a switch each, joined by a router over a slower link.

With plain Mininet, which reads this file by itself (it needs nothing of this project)::

    mn --custom topologies/twozone.py --topo twozone,nodes=4 \
        --switch lxbr --controller none --test pingall

The zones are not on one layer-2 segment, so a CNI mode that wants one (``host-gw``) cannot cross
them, and what crosses them competes for the link between ``r1`` and ``s2``::

    n1, n2, client ── s1 ── r1 ══ zone_rate, zone_delay ══ s2 ── n3, n4
          zone a, 192.168.1.0/24              zone b, 192.168.2.0/24

Addresses: ``r1`` is .1 in each zone (and AS 65000, for nodes that speak BGP), nodes are .11 …, the
hosts outside the cluster (``client``, ``client2`` …) are .200 … on the side of zone a. The first
half of the nodes is in zone a (the larger half, if they are odd).
"""

from __future__ import annotations

from typing import Any

from mininet.node import Node
from mininet.topo import Topo

MOST_NODES = 200
MOST_EXTERNALS = 50
ZONES = ("a", "b")
ROUTER_AS = 65000


class Router(Node):  # type: ignore[misc]
    """A host that forwards IPv4; its links carry its addresses."""

    def config(self, **params: Any) -> Any:
        """Configures the host as Mininet does, and has it forward."""
        result = super().config(**params)
        self.cmd("sysctl -w net.ipv4.ip_forward=1")
        return result


class TwoZone(Topo):  # type: ignore[misc]
    """Nodes in two zones that one router joins."""

    def build(
        self,
        nodes: int = 4,
        *,
        externals: int = 1,
        zone_rate: float | None = 1e9,
        zone_delay: float | None = None,
    ) -> None:
        """Builds the graph; Mininet's constructor calls it.

        Args:
            nodes: How many nodes in both zones together, 2 to 200.
            externals: How many hosts outside the cluster, 0 to 50.
            zone_rate: Of the link between the zones, in bit/s.
            zone_delay: Of the link between the zones, one way, in seconds.

        Raises:
            ValueError: A count is out of range.
        """
        if not len(ZONES) <= nodes <= MOST_NODES:
            raise ValueError(f"nodes must be {len(ZONES)} to {MOST_NODES} here, not {nodes}")
        if not 0 <= externals <= MOST_EXTERNALS:
            raise ValueError(f"externals must be 0 to {MOST_EXTERNALS} here, not {externals}")
        self.addHost("r1", cls=Router, role="router", asn=ROUTER_AS, ip="192.168.1.1/24")
        self.addSwitch("s1")
        self.addSwitch("s2")
        self.addLink("r1", "s1", params1={"ip": "192.168.1.1/24"})
        slow: dict[str, Any] = {}
        if zone_rate is not None:
            slow["bw"] = zone_rate / 1e6
        if zone_delay is not None:
            slow["delay"] = f"{zone_delay * 1e6:g}us"
        self.addLink("r1", "s2", params1={"ip": "192.168.2.1/24"}, **slow)
        half = (nodes + 1) // 2
        for i in range(1, nodes + 1):
            zone, rank = (1, i) if i <= half else (2, i - half)
            self._attach(f"n{i}", "node", zone, 10 + rank)
        for i in range(1, externals + 1):
            name = "client" if i == 1 else f"client{i}"
            self._attach(name, "external", 1, 199 + i)

    def _attach(self, name: str, role: str, zone: int, last: int) -> None:
        self.addHost(
            name,
            role=role,
            zone=ZONES[zone - 1],
            ip=f"192.168.{zone}.{last}/24",
            defaultRoute=f"via 192.168.{zone}.1",
        )
        self.addLink(name, f"s{zone}")


topos = {"twozone": TwoZone}
