"""One switch with every node and every external host on it: one layer-2 segment.

With plain Mininet, which reads this file by itself (it needs nothing of this project)::

    mn --custom topologies/single.py --topo single,nodes=3 \
        --switch lxbr --controller none --test pingall

Addresses: nodes ``n1`` … are 192.168.0.11 … and the hosts outside the cluster (``client``,
``client2`` …) are 192.168.0.200 … in 192.168.0.0/24. Nobody has a default route.
"""

from __future__ import annotations

from typing import Any

from mininet.topo import Topo

MOST_NODES = 189  # 192.168.0.11 to .199
MOST_EXTERNALS = 50


def link_options(
    rate: float | None, delay: float | None, loss: float | None, mtu: int | None
) -> dict[str, Any]:
    """Mininet's own options of a link, from units of the International System.

    Plain ``mn`` honours ``bw``, ``delay`` and ``loss`` with ``--link tc``, and the MTU always.

    Args:
        rate: Bits per second, each way; None for no limit.
        delay: Seconds, one way.
        loss: Share of lost packets, 0 to 1, each way.
        mtu: Bytes.
    """
    options: dict[str, Any] = {}
    if rate is not None:
        options["bw"] = rate / 1e6
    if delay is not None:
        options["delay"] = f"{delay * 1e3:g}ms"
    if loss is not None:
        options["loss"] = loss * 100
    if mtu is not None:
        options["ifconfig"] = f"mtu {mtu}"
    return options


class Single(Topo):  # type: ignore[misc]
    """Nodes and external hosts on the one switch ``s1``."""

    def build(
        self,
        nodes: int = 3,
        *,
        externals: int = 1,
        rate: float | None = None,
        delay: float | None = None,
        loss: float | None = None,
        mtu: int | None = None,
    ) -> None:
        """Builds the graph; Mininet's constructor calls it.

        Args:
            nodes: How many nodes, 1 to 189.
            externals: How many hosts outside the cluster, 0 to 50.
            rate: Of every link, in bit/s.
            delay: Of every link, one way, in seconds.
            loss: On every link, each way, 0 to 1.
            mtu: Of every link, in bytes.

        Raises:
            ValueError: A count is out of range.
        """
        if not 1 <= nodes <= MOST_NODES:
            raise ValueError(f"nodes must be 1 to {MOST_NODES} here, not {nodes}")
        if not 0 <= externals <= MOST_EXTERNALS:
            raise ValueError(f"externals must be 0 to {MOST_EXTERNALS} here, not {externals}")
        options = link_options(rate, delay, loss, mtu)
        self.addSwitch("s1")
        for i in range(1, nodes + 1):
            self.addHost(f"n{i}", role="node", ip=f"192.168.0.{10 + i}/24")
            self.addLink(f"n{i}", "s1", **options)
        for i in range(1, externals + 1):
            name = "client" if i == 1 else f"client{i}"
            self.addHost(name, role="external", ip=f"192.168.0.{199 + i}/24")
            self.addLink(name, "s1", **options)


topos = {"single": Single}
