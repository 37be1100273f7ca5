"""Refuses policies of egress gateways whose address no gateway could have."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface

from testbed.cluster import egressgateways
from testbed.cluster.model import Cluster, Node
from testbed.errors import InputError, Where
from testbed.objects import EgressPolicy

_FIELD = "spec.egressGateway.egressIP"


def check(cluster: Cluster) -> None:
    """Checks the address of each policy against the nodes that may be its gateway.

    Raises:
        InputError: One is not on the link of such a node, or it is somebody else's.
    """
    owners: dict[str, EgressPolicy] = {}
    for policy in egressgateways.policies(cluster):
        if policy.address is None:
            continue
        nodes = egressgateways.candidates(cluster, policy)
        for node in nodes:
            _check_link(cluster, policy, node, policy.address)
        _check_taken(cluster, policy, nodes, policy.address)
        other = owners.setdefault(policy.address, policy)
        if egressgateways.candidates(cluster, other) != nodes:
            raise _refused(
                policy,
                f"{policy.address} is the address of policy {other.metadata.name}, too, "
                "which has other gateways",
                "Give both the same nodeSelector, or each its own egressIP.",
            )


def _check_link(cluster: Cluster, policy: EgressPolicy, node: Node, address: str) -> None:
    subnet = IPv4Interface(str(cluster.topology.host(node.name).primary.address)).network
    special = (subnet.network_address, subnet.broadcast_address)
    if IPv4Address(address) not in subnet or IPv4Address(address) in special:
        raise _refused(
            policy,
            f"{address} is no address on the link of node {node.name} ({subnet}), "
            "so nobody would send answers there",
            "Choose one of that network, or other nodes by nodeSelector.",
        )


def _check_taken(cluster: Cluster, policy: EgressPolicy, nodes: list[Node], address: str) -> None:
    taken = {
        str(i.address).partition("/")[0]: host.name
        for host in cluster.topology.hosts
        for i in host.interfaces
        if i.address
    }
    owner = taken.get(address)
    if owner is not None and [node.name for node in nodes] != [owner]:
        raise _refused(
            policy,
            f"{address} is the address of {owner}",
            "Choose an address that nobody has, or that node alone by nodeSelector.",
        )
    balanced = {a: b for b in cluster.services.values() for a in b.load_balancer}
    if address in balanced:
        name = "/".join(balanced[address].key)
        raise _refused(policy, f"{address} is the load balancer's address of {name}", "")


def _refused(policy: EgressPolicy, message: str, hint: str) -> InputError:
    source = policy.source
    where = Where(source.file, source.document, source.line, _FIELD)
    return InputError(message, where=where, hint=hint)
