"""How those outside reach the addresses of load balancers: what is planned for it, as for MetalLB.

The addresses are none of an interface: a node that has a packet for one passes it to an endpoint,
by its proxy's rules. Which node that is, is told

- in *L2* mode by ARP: one node answers for an address, another one when that dies
  (:mod:`testbed.lab.loadbalancers`). The pool is on the link of the first node; its routers and
  those hosts there that have no router know that, and BGP routers tell their peers. Only nodes on
  this link can answer;
- in *BGP* mode by each node's FRR, to its router: a /32 for each address that the node may answer
  for, while the kernel has a route to it; routers spread what comes over all nodes (ECMP).

Source: MetalLB's documentation, "MetalLB in layer 2 mode" and "in BGP mode" (FRR mode).
"""

from __future__ import annotations

from collections.abc import Mapping

from testbed.cluster.model import Cluster, Node
from testbed.errors import InputError, Where
from testbed.plan import frr, underlay
from testbed.plan.model import ExpectedRoute, NextHop, Plan, Route
from testbed.topology.model import Host, Interface, Topology


class Silent:
    """Nobody is told."""

    def check(self, cluster: Cluster) -> None:
        """Refuses what the protocol cannot do.

        Raises:
            InputError: There is such.
        """

    def speaking(self, cluster: Cluster) -> tuple[Node, ...]:
        """The nodes that can answer for load balancers' addresses."""
        return ()

    def on_link(self, cluster: Cluster) -> Mapping[str, Route]:
        """Host → its route to the pool, for hosts that have it on their own link."""
        return {}

    def announced(self, cluster: Cluster) -> tuple[str, ...]:
        """What nodes announce by BGP as long as they have a route to it."""
        return ()


class Layer2(Silent):
    """ARP."""

    def speaking(self, cluster: Cluster) -> tuple[Node, ...]:
        """Those on the link of the first node."""
        there = {host.name for host, interface in link(cluster.topology) if interface.address}
        return tuple(node for node in cluster.nodes if node.name in there)

    def on_link(self, cluster: Cluster) -> Mapping[str, Route]:
        """The routers of that link, and hosts there that have none."""
        pool = cluster.options.lb_pool
        return {
            host.name: Route(pool, (NextHop(device=interface.name),), scope="link")
            for host, interface in link(cluster.topology)
            if interface.address and (host.role == "router" or _is_alone(host))
        }


class Bgp(Silent):
    """FRR on each node."""

    def check(self, cluster: Cluster) -> None:
        """Refuses nodes without a BGP router.

        Raises:
            InputError: There is one.
        """
        topology = cluster.topology
        for node in cluster.nodes:
            gateway = topology.host(node.name).gateway
            if gateway not in {n.address for n in topology.neighbours(node.name) if n.host.asn}:
                raise InputError(
                    f"node {node.name} of {topology.name} has no router with an AS number",
                    where=Where("--set", field="lb"),
                    hint="Take lb=l2, or the topology leafspine or twozone.",
                )

    def speaking(self, cluster: Cluster) -> tuple[Node, ...]:
        """All."""
        return cluster.nodes

    def announced(self, cluster: Cluster) -> tuple[str, ...]:
        """Addresses of the pool."""
        return (cluster.options.lb_pool,)


_PROTOCOLS: Mapping[str, Silent] = {"l2": Layer2(), "bgp": Bgp(), "none": Silent()}


def protocol(cluster: Cluster) -> Silent:
    """How a cluster's addresses are announced."""
    return _PROTOCOLS[cluster.options.lb]


def link(topology: Topology) -> tuple[tuple[Host, Interface], ...]:
    """The hosts with their interfaces on the link of the first node."""
    first = topology.nodes[0]
    return next(
        segment
        for segment in topology.segments
        if any(host is first and interface is first.primary for host, interface in segment)
    )


def _is_alone(host: Host) -> bool:
    return host.role == "external" and host.gateway is None


def expects(
    topology: Topology, eligible: Mapping[str, tuple[str, ...]]
) -> Mapping[str, tuple[ExpectedRoute, ...]]:
    """What the routers have once all of them know which nodes answer for what (BGP).

    Args:
        topology: The underlay.
        eligible: Address → the nodes that may answer for it.
    """
    gateways = {node.name: node.gateway for node in topology.nodes}
    return {
        underlay.namespace(router): tuple(
            ExpectedRoute(f"{address}/32", max(1, _below(router, gateways, names)))
            for address, names in eligible.items()
        )
        for router in topology.routers
        if router.asn
    }


def _below(router: Host, gateways: Mapping[str, str | None], names: tuple[str, ...]) -> int:
    """How many of some nodes have a router as their gateway."""
    own = {str(i.address).partition("/")[0] for i in router.interfaces if i.address}
    return sum(gateways[name] in own for name in names)


def speakers(cluster: Cluster, planned: Plan) -> Plan:
    """FRR on the nodes that have something to announce and do not run it yet."""
    if not protocol(cluster).announced(cluster):
        return Plan()
    return Plan(
        {
            node.namespace: frr.speaker_plan(_speaker(cluster, node))
            for node in cluster.nodes
            if all(d.name != "bgpd" for d in planned.namespaces[node.namespace].daemons)
        }
    )


def _speaker(cluster: Cluster, node: Node) -> frr.Speaker:
    gateway = cluster.topology.host(node.name).gateway or ""
    bfd = cluster.options.bfd
    tor = frr.PeerGroup("TOR", "external", (gateway,), bfd=bfd, send_only=True)
    number = frr.node_asn(cluster, node)
    return frr.Speaker(
        node.name, number, node.address, (), (tor,), announced=protocol(cluster).announced(cluster)
    )
