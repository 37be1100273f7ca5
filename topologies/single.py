"""One switch with every node and every external host on it: one layer-2 segment.

With plain Mininet, which reads this file by itself (it needs nothing of this project)::

    mn --custom topologies/single.py --topo single,nodes=3 \
        --switch lxbr --controller none --test pingall

Addresses: nodes ``n1`` … are 192.168.0.11 … and the hosts outside the cluster (``client``,
``client2`` …) are 192.168.0.200 … in 192.168.0.0/24. Nobody has a default route.
"""

from __future__ import annotations

from mininet.topo import Topo

MOST_NODES = 189  # 192.168.0.11 to .199
MOST_EXTERNALS = 50


class Single(Topo):  # type: ignore[misc]
    """Nodes and external hosts on the one switch ``s1``."""

    def build(self, nodes: int = 3, *, externals: int = 1) -> None:
        """Builds the graph; Mininet's constructor calls it.

        Args:
            nodes: How many nodes, 1 to 189.
            externals: How many hosts outside the cluster, 0 to 50.

        Raises:
            ValueError: A count is out of range.
        """
        if not 1 <= nodes <= MOST_NODES:
            raise ValueError(f"nodes must be 1 to {MOST_NODES} here, not {nodes}")
        if not 0 <= externals <= MOST_EXTERNALS:
            raise ValueError(f"externals must be 0 to {MOST_EXTERNALS} here, not {externals}")
        self.addSwitch("s1")
        for i in range(1, nodes + 1):
            self.addHost(f"n{i}", role="node", ip=f"192.168.0.{10 + i}/24")
            self.addLink(f"n{i}", "s1")
        for i in range(1, externals + 1):
            name = "client" if i == 1 else f"client{i}"
            self.addHost(name, role="external", ip=f"192.168.0.{199 + i}/24")
            self.addLink(name, "s1")


topos = {"single": Single}
