"""``vxlan``: an overlay as Flannel's default backend makes it.

Each node has a bridge ``cni0`` for its pods and a VTEP ``flannel.1`` (VNI 1, UDP 8472, learning
off) whose address is the base of the node's share. For each other node there are, in the order in
which flanneld adds them, a permanent ARP entry (share base → VTEP MAC), a forwarding entry (VTEP
MAC → node address) and an ``onlink`` route to the share through its base. Nothing is learnt from
traffic and nothing is flooded.

A packet from pod 10.244.1.2 on n1 to pod 10.244.2.2 on n2, on the underlay::

    Ethernet n1 → n2 | IPv4 192.168.0.11 → .12 | UDP → 8472 | VXLAN VNI 1 |
        Ethernet flannel.1 → flannel.1 | IPv4 10.244.1.2 → 10.244.2.2 | …

Source: flannel ``pkg/backend/vxlan`` and ``pkg/trafficmngr/iptables``.
"""

from __future__ import annotations

from collections.abc import Mapping

from cni_modes import _flannel
from testbed.cluster.model import Cluster, Node
from testbed.plan.model import (
    Address,
    ExpectedRoute,
    Fdb,
    NamespacePlan,
    Neighbour,
    NextHop,
    Plan,
    Route,
    Vxlan,
)
from testbed.plan.names import mac_of_address
from testbed.plan.wiring import bridged

VNI = 1
PORT = 8472
DEVICE = "flannel.1"
_MAC_PREFIX = "0e:f1"


class VxlanMode:
    """The contract's parts; see the module for what they mean together."""

    summary = "VXLAN overlay, as Flannel does it"
    overhead = 50  # outer Ethernet 14, IPv4 20, UDP 8, VXLAN 8
    needs = ("veth", "bridge", "br_netfilter", "vxlan", "iptables", "conntrack")
    settings: Mapping[str, str] = {}

    def check(self, cluster: Cluster) -> None:
        """Every underlay will do: it only has to carry UDP between nodes."""

    def plan(self, cluster: Cluster) -> Plan:
        """Bridge, VTEP, an entry of each kind per other node, and Flannel's rules."""
        mtu = _flannel.mtu(cluster, self.overhead)
        plans = {node.namespace: _node(cluster, node, mtu) for node in cluster.nodes}
        return bridged(cluster, mtu) + Plan(plans) + _flannel.rules(cluster)

    def expects(self, cluster: Cluster) -> Mapping[str, tuple[ExpectedRoute, ...]]:
        """Nothing: every route is in the plan."""
        return {}


def _base(node: Node) -> str:
    return node.pod_cidr.partition("/")[0]


def _node(cluster: Cluster, node: Node, mtu: int) -> NamespacePlan:
    vtep = Vxlan(
        DEVICE, VNI, PORT, node.address, node.device, mac_of_address(node.address, _MAC_PREFIX), mtu
    )
    others = [other for other in cluster.nodes if other != node]
    macs = {other: mac_of_address(other.address, _MAC_PREFIX) for other in others}
    return NamespacePlan(
        links=(vtep,),
        addresses=(Address(DEVICE, f"{_base(node)}/32"),),
        neighbours=tuple(Neighbour(DEVICE, _base(o), macs[o]) for o in others),
        fdb=tuple(Fdb(DEVICE, macs[o], o.address) for o in others),
        routes=tuple(Route(o.pod_cidr, (NextHop(_base(o), DEVICE, onlink=True),)) for o in others),
    )


mode = VxlanMode()
