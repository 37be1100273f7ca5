"""Egress gateways: what is planned for CiliumEgressGatewayPolicies.

Independent of the CNI mode, as in Cilium. A packet of a chosen pod to a chosen destination goes

1. on the pod's node by a rule of its own (``from POD to DESTINATION``) to the policy's table, whose
   one route leads into a tunnel to the gateway: a VXLAN device between all nodes, with entries for
   each. After that route comes a blackhole: without a gateway nothing goes any other way;
2. on the gateway out of its underlay device, with the policy's address for a source (SNAT in chain
   ``EGRESS-GATEWAY``, before any masquerading). The address is one of that device.

Answers come to the gateway, and go to the pod as the CNI mode carries packets of any source.

The cluster's own addresses (pods, Services, nodes) are never routed so, nor are a pod's answers to
those who have asked it (``skip_egress_gateway`` of Cilium: they are marked by their connection's
direction). Which prefix counts is the
longest one's matter (:mod:`testbed.cluster.egressgateways`): the rules' priorities say so.

::

    pod → node: Ethernet | IPv4 POD → DESTINATION | …
    node → gateway: Ethernet | IPv4 NODE → GATEWAY | UDP → 8473 | VXLAN VNI 2 |
        Ethernet egress → egress | IPv4 POD → DESTINATION | …
    gateway → outside: Ethernet | IPv4 EGRESS IP → DESTINATION | …

Source: cilium ``Documentation/network/egress-gateway``, ``bpf/lib/egress_gateway.h``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network

from testbed.cluster import egressgateways
from testbed.cluster.egressgateways import Destinations
from testbed.cluster.model import BoundPod, Cluster, Node
from testbed.objects import EgressPolicy
from testbed.plan.model import (
    Address,
    Fdb,
    IptablesRules,
    NamespacePlan,
    Neighbour,
    NextHop,
    Plan,
    Route,
    RoutingRule,
    Vxlan,
)
from testbed.plan.names import mac_of_address

DEVICE, VNI, PORT = "egress", 2, 8473
NEEDS = ("vxlan", "iptables", "conntrack")
"""What of the machine a policy needs."""

REPLY = 0x2000
"""The mark of packets that answer: a pod's answers to those outside go back as they came."""

_OVERHEAD = 50
_MAC_PREFIX = "0e:e9"
_TABLES = 2000  # the number of the first policy's table
_PRIORITY = 2000  # of the rules for the cluster's own addresses; those for pods follow
_LAST = 4_294_967_295  # the metric of a route that is used when there is no other
_HOOK = f"""\
*nat
:EGRESS-GATEWAY - [0:0]
-I POSTROUTING 1 -m comment --comment "egress gateway" -j EGRESS-GATEWAY
COMMIT
*mangle
-I PREROUTING 1 -m comment --comment "egress gateway: answers" -m conntrack --ctdir REPLY\
 -j MARK --set-xmark {REPLY:#x}/{REPLY:#x}
COMMIT
"""
_UNHOOK = f"""\
*mangle
-D PREROUTING -m comment --comment "egress gateway: answers" -m conntrack --ctdir REPLY\
 -j MARK --set-xmark {REPLY:#x}/{REPLY:#x}
COMMIT
*nat
-D POSTROUTING -m comment --comment "egress gateway" -j EGRESS-GATEWAY
-F EGRESS-GATEWAY
-X EGRESS-GATEWAY
COMMIT
"""
_EMPTY = "*nat\n:EGRESS-GATEWAY - [0:0]\n{rules}COMMIT\n"


def plan(cluster: Cluster) -> Plan:
    """What the cluster's policies need on each node; nothing without one."""
    if not cluster.egress_policies:
        return Plan()
    routed = list(egressgateways.routed(cluster))
    tables = {key[1]: _TABLES + i for i, key in enumerate(cluster.egress_policies)}
    return Plan(
        {
            n.namespace: _tunnel(cluster, n) + _node(cluster, n, routed, tables)
            for n in cluster.nodes
        }
    )


def _tunnel(cluster: Cluster, node: Node) -> NamespacePlan:
    """The device, with an entry of each kind per other node."""
    others = [other for other in cluster.nodes if other != node]
    macs = {n: mac_of_address(n.address, _MAC_PREFIX) for n in cluster.nodes}
    mtu = min(n.mtu for n in cluster.nodes) - _OVERHEAD
    return NamespacePlan(
        links=(Vxlan(DEVICE, VNI, PORT, node.address, node.device, macs[node], mtu),),
        neighbours=tuple(Neighbour(DEVICE, o.address, macs[o]) for o in others),
        fdb=tuple(Fdb(DEVICE, macs[o], o.address) for o in others),
        rules=(IptablesRules("egress gateway", _HOOK, _UNHOOK),),
    )


def _node(
    cluster: Cluster,
    node: Node,
    routed: list[tuple[BoundPod, Destinations]],
    tables: Mapping[str, int],
) -> NamespacePlan:
    policies = egressgateways.policies(cluster)
    gateways = {p.metadata.name: egressgateways.gateway(cluster, p, node) for p in policies}
    away = [p for p in policies if gateways[p.metadata.name] != node]
    here = [p for p in policies if gateways[p.metadata.name] == node]
    own = [(pod, found) for pod, found in routed if pod.node == node.name]
    rules = "".join(_nat(cluster, node, here, routed))
    return NamespacePlan(
        addresses=tuple(dict.fromkeys(_addresses(node, here))),
        routes=tuple(
            route
            for policy in away
            for route in _routes(tables[policy.metadata.name], gateways[policy.metadata.name])
        ),
        routing_rules=(*_cluster_rules(cluster, own), *_pod_rules(own, here, tables)),
        rules=(
            IptablesRules(
                "egress gateway's pods", _EMPTY.format(rules=rules), _EMPTY.format(rules="")
            ),
        ),
    )


def _addresses(node: Node, policies: list[EgressPolicy]) -> Iterator[Address]:
    for policy in policies:
        if policy.address not in (None, node.address):
            yield Address(node.device, f"{policy.address}/32")


def _routes(table: int, gateway: Node | None) -> Iterator[Route]:
    yield Route("0.0.0.0/0", kind="blackhole", table=table, metric=_LAST)
    if gateway is not None:
        hop = NextHop(gateway.address, DEVICE, onlink=True)
        yield Route("0.0.0.0/0", (hop,), table=table)


def own_ranges(cluster: Cluster) -> tuple[str, ...]:
    """The cluster's own addresses, which no policy is for."""
    options = cluster.options
    return (options.pod_cidr, options.service_cidr, *(f"{n.address}/32" for n in cluster.nodes))


def _cluster_rules(
    cluster: Cluster, own: list[tuple[BoundPod, Destinations]]
) -> Iterator[RoutingRule]:
    if own:
        yield RoutingRule(_PRIORITY, mark=REPLY)
        yield from (RoutingRule(_PRIORITY, destination=one) for one in own_ranges(cluster))


def _pod_rules(
    own: list[tuple[BoundPod, Destinations]], here: list[EgressPolicy], tables: Mapping[str, int]
) -> Iterator[RoutingRule]:
    """What a gateway's own pods send needs no tunnel: the main table routes it."""
    for pod, found in own:
        for prefix, policy in found.items():
            away = policy is not None and policy not in here
            table = tables[policy.metadata.name] if policy is not None and away else None
            yield RoutingRule(_priority(prefix), f"{pod.address}/32", str(prefix), table)


def _priority(prefix: IPv4Network) -> int:
    return _PRIORITY + 1 + 32 - prefix.prefixlen


def _nat(
    cluster: Cluster,
    node: Node,
    here: list[EgressPolicy],
    routed: list[tuple[BoundPod, Destinations]],
) -> Iterator[str]:
    """The rules of the chain: into the tunnel as it is, and out with the policy's address."""
    yield f"-A EGRESS-GATEWAY -o {DEVICE} -j ACCEPT\n"
    mine = [(pod, found) for pod, found in routed if any(p in here for p in found.values())]
    if mine:
        yield from (f"-A EGRESS-GATEWAY -d {one} -j RETURN\n" for one in own_ranges(cluster))
    for pod, found in mine:
        for prefix, policy in found.items():
            match = f"-A EGRESS-GATEWAY -s {pod.address}/32 -d {prefix}"
            if policy is not None and policy in here:
                yield f"{match} -j SNAT --to-source {policy.address or node.address}\n"
            else:
                yield f"{match} -j RETURN\n"
