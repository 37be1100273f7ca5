"""A switched fabric under an SDN controller: the leaves and spines are Open vSwitches.

The same graph as ``leafspine``, with switches in the place of its routers, and one layer-2 segment
in the place of its subnets; so the two can be compared, link by link::

           sp1 ─┬───────┬────────┐          (each of l1, l2, b1 on each of sp1, sp2)
           sp2 ─┤       │        │
                l1      l2       b1
              n1 n2    n3 n4    client

Addresses are those of ``leafspine`` in 192.168.0.0/16: node *k* below leaf *i* is 192.168.i.10+k,
``client`` is 192.168.100.200. Nobody has a gateway.

In a lab of this project the switches are programmed by its own controller (``docs/sdn.md``). Plain
Mininet reads this file by itself (it needs nothing of this project); there the switches learn by
themselves and a spanning tree cuts the loops, which takes half a minute to form::

    mn --custom topologies/sdn.py --topo sdn,spines=2,leaves=2,nodes=2 --controller none
"""

from __future__ import annotations

from mininet.node import OVSSwitch
from mininet.topo import Topo

MOST_SPINES = 32
MOST_LEAVES = 99  # rack 100 is the border's
MOST_NODES = 189  # in a rack, .11 to .199
MOST_EXTERNALS = 50
BORDER = 100


class Sdn(Topo):  # type: ignore[misc]
    """Leaves with nodes, spines above them, and a border with the external hosts; all switches."""

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
        self._spines = [f"sp{spine}" for spine in range(1, spines + 1)]
        for spine in self._spines:
            self._switch(spine)
        for rack in [*range(1, leaves + 1), BORDER]:
            self._leaf(_leaf_of(rack))
        for i in range(nodes * leaves):
            self._attach(f"n{i + 1}", "node", i // nodes + 1, 11 + i % nodes)
        for i in range(externals):
            self._attach(f"client{i + 1}" if i else "client", "external", BORDER, 200 + i)

    def _switch(self, name: str) -> None:
        """An Open vSwitch; what is said of spanning trees is for plain Mininet.

        Mininet would make the datapath id of the digits in the name, which l1 and sp1 share.
        """
        number = len(self.switches()) + 1
        self.addSwitch(name, cls=OVSSwitch, dpid=f"{number:016x}", failMode="standalone", stp=True)

    def _leaf(self, name: str) -> None:
        self._switch(name)
        for spine in self._spines:
            self.addLink(name, spine)

    def _attach(self, name: str, role: str, rack: int, last: int) -> None:
        """A host in a rack; nodes have the rack as their zone."""
        zone = {"zone": f"rack{rack}"} if role == "node" else {}
        self.addHost(name, role=role, ip=f"192.168.{rack}.{last}/16", **zone)
        self.addLink(name, _leaf_of(rack))


def _leaf_of(rack: int) -> str:
    return "b1" if rack == BORDER else f"l{rack}"


topos = {"sdn": Sdn}
