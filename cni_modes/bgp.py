"""``bgp``: pods routed by BGP, as Calico does it, with FRR in the place of BIRD.

Pods are wired without a bridge (:func:`testbed.plan.wiring.routed`). Each node runs FRR's zebra and
bgpd and announces its share of the pod CIDR. Who talks to whom follows from the underlay:

- nodes in one subnet: iBGP in AS 64512, every node with every other (Calico's node-to-node mesh);
  above ``bgp_mesh_limit`` nodes the first two are route reflectors (RFC 4456) for the rest;
- nodes behind routers: eBGP from each node, in an AS of its own, to its router (the "AS per
  compute server" model of Calico's documentation), which passes the shares on.

Equal paths are used together (ECMP), and ``--set bfd=true`` watches the sessions by BFD.

A packet from pod 10.244.1.2 on n1 to pod 10.244.2.2 on n2, on the underlay::

    Ethernet n1 → n2 (or n1 → router) | IPv4 10.244.1.2 → 10.244.2.2 | …

Source: calico ``confd/etc/calico/confd/templates`` (the configuration BIRD gets),
``felix/rules/nat.go`` (the masquerade rule).
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Interface

from testbed.cluster.model import Cluster, Node
from testbed.errors import InputError, Where
from testbed.plan import frr, loadbalancer, underlay
from testbed.plan.model import ExpectedRoute, IptablesRules, NamespacePlan, Plan
from testbed.plan.wiring import routed
from testbed.topology.model import Host

AS_NUMBER = 64512
_REFLECTORS = 2
_MESH_KEEPALIVE = 60  # seconds, the default of most routers: a mesh of n nodes has n² sessions
_CLUSTER_ID = "244.0.0.1"  # the one that Calico's documentation uses

_NAT = """\
*nat
:cali-POSTROUTING - [0:0]
:cali-nat-outgoing - [0:0]
-A POSTROUTING -j cali-POSTROUTING
-A cali-POSTROUTING -j cali-nat-outgoing
-A cali-nat-outgoing -s {pods} ! -d {pods} -j MASQUERADE --random-fully
COMMIT
"""


class BgpMode:
    """The contract's parts; see the module for what they mean together."""

    summary = "pods routed by BGP (FRR), as Calico does it"
    overhead = 0
    needs = ("veth", "iptables", "conntrack", *frr.NEEDS)
    settings: Mapping[str, str] = {"bgp_mesh_limit": "100"}

    def check(self, cluster: Cluster) -> None:
        """Refuses settings that are none, and routers without an AS number.

        Raises:
            InputError: There is such.
        """
        _mesh_limit(cluster)
        mute = [router.name for router in cluster.topology.routers if not router.asn]
        if mute:
            raise InputError(
                f"bgp needs an AS number on each router of {cluster.topology.name}; "
                f"{', '.join(mute)} has none",
                where=Where("--cni"),
                hint="Give the routers an asn in the topology.",
            )

    def plan(self, cluster: Cluster) -> Plan:
        """Routed pods, FRR and Calico's outgoing NAT on each node."""
        mtu = min(node.mtu for node in cluster.nodes) - self.overhead
        rules = IptablesRules("calico", _NAT.format(pods=cluster.options.pod_cidr))
        speakers = {
            node.namespace: frr.speaker_plan(_speaker(cluster, node))
            + NamespacePlan(rules=(rules,))
            for node in cluster.nodes
        }
        return routed(cluster, mtu) + Plan(speakers)

    def expects(self, cluster: Cluster) -> Mapping[str, tuple[ExpectedRoute, ...]]:
        """On each node and router a route to every share, over all ways that are equally short."""
        expected = {
            node.namespace: tuple(
                ExpectedRoute(other.pod_cidr) for other in cluster.nodes if other != node
            )
            for node in cluster.nodes
        }
        for router in cluster.topology.routers:
            shares = tuple(_share_from(cluster, router, node) for node in cluster.nodes)
            expected[underlay.namespace(router)] = shares
        return expected


def _share_from(cluster: Cluster, router: Host, node: Node) -> ExpectedRoute:
    address = str(cluster.topology.host(node.name).primary.address)
    subnet = str(IPv4Interface(address).network)
    return ExpectedRoute(node.pod_cidr, underlay.ways(cluster.topology, router, subnet))


def _mesh_limit(cluster: Cluster) -> int:
    text = cluster.options.mode["bgp_mesh_limit"]
    if not text.isdecimal():
        raise InputError(
            f"{text!r} is no number of nodes", where=Where("--set", field="bgp_mesh_limit")
        )
    return int(text)


def _speaker(cluster: Cluster, node: Node) -> frr.Speaker:
    if cluster.topology.routers:
        return _rack_speaker(cluster, node)
    return _mesh_speaker(cluster, node)


def _rack_speaker(cluster: Cluster, node: Node) -> frr.Speaker:
    gateway = cluster.topology.host(node.name).gateway or ""
    tor = frr.PeerGroup(
        "TOR", "external", (gateway,), accept=(cluster.options.pod_cidr,), bfd=cluster.options.bfd
    )
    return frr.Speaker(
        node.name,
        frr.node_asn(cluster, node),
        node.address,
        (node.pod_cidr,),
        (tor,),
        announced=loadbalancer.protocol(cluster).announced(cluster),
    )


def _mesh_speaker(cluster: Cluster, node: Node) -> frr.Speaker:
    many = len(cluster.nodes) > _mesh_limit(cluster)
    reflectors = cluster.nodes[:_REFLECTORS] if many else ()
    meshed = reflectors or cluster.nodes
    bfd, groups = cluster.options.bfd, []
    mesh = tuple(peer.address for peer in meshed if peer != node)
    groups.append(frr.PeerGroup("MESH", "internal", mesh, bfd=bfd, keepalive=_MESH_KEEPALIVE))
    if node in reflectors:
        clients = tuple(peer.address for peer in cluster.nodes if peer not in reflectors)
        groups.append(
            frr.PeerGroup(
                "CLIENTS",
                "internal",
                clients,
                reflector_clients=True,
                bfd=bfd,
                keepalive=_MESH_KEEPALIVE,
            )
        )
    return frr.Speaker(
        node.name, AS_NUMBER, node.address, (node.pod_cidr,), tuple(groups), _CLUSTER_ID
    )


mode = BgpMode()
