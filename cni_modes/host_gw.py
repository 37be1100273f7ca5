"""``host-gw``: plain routes to the other nodes, as Flannel's backend of that name.

Each node has a bridge ``cni0`` for its pods and, for each other node, a route to its share through
its address. No encapsulation, so full MTU; but the nodes must share a layer 2 network, for the
underlay's routers know nothing of pods.

A packet from pod 10.244.1.2 on n1 to pod 10.244.2.2 on n2, on the underlay::

    Ethernet n1 → n2 | IPv4 10.244.1.2 → 10.244.2.2 | …

Source: flannel ``pkg/backend/hostgw``.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Interface

from cni_modes import _flannel
from testbed.cluster.model import Cluster, Node
from testbed.errors import InputError, Where
from testbed.plan.model import ExpectedRoute, NamespacePlan, NextHop, Plan, Route
from testbed.plan.wiring import bridged


class HostGwMode:
    """The contract's parts; see the module for what they mean together."""

    summary = "plain routes between nodes of one network, as Flannel's host-gw does it"
    overhead = 0
    needs = ("veth", "bridge", "br_netfilter", "iptables", "conntrack")
    settings: Mapping[str, str] = {}

    def check(self, cluster: Cluster) -> None:
        """Refuses nodes in more than one subnet.

        Raises:
            InputError: There are such.
        """
        own = (IPv4Interface(str(host.primary.address)) for host in cluster.topology.nodes)
        subnets = sorted({str(address.network) for address in own})
        if len(subnets) > 1:
            raise InputError(
                f"host-gw needs all nodes in one subnet; {cluster.topology.name} has "
                f"{', '.join(subnets)}",
                where=Where("--cni"),
                hint="Take vxlan or bgp, or the topology single.",
            )

    def plan(self, cluster: Cluster) -> Plan:
        """Bridge, a route per other node, and Flannel's rules."""
        plans = {node.namespace: _node(cluster, node) for node in cluster.nodes}
        mtu = _flannel.mtu(cluster, self.overhead)
        return bridged(cluster, mtu) + Plan(plans) + _flannel.rules(cluster)

    def expects(self, cluster: Cluster) -> Mapping[str, tuple[ExpectedRoute, ...]]:
        """Nothing: every route is in the plan."""
        return {}


def _node(cluster: Cluster, node: Node) -> NamespacePlan:
    others = (other for other in cluster.nodes if other != node)
    return NamespacePlan(
        routes=tuple(Route(o.pod_cidr, (NextHop(o.address, node.device),)) for o in others)
    )


mode = HostGwMode()
