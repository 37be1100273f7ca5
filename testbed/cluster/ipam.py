"""Pod addresses: the lowest free one of the node's share, or the one that the pod asks for.

The first address of a share is the gateway's (the bridge plugin's ``isGateway``), so pods start at
the second; network and broadcast address are left out.
"""

from __future__ import annotations

from collections.abc import Container
from ipaddress import IPv4Address, IPv4Network

from testbed.cluster.model import Node
from testbed.errors import InputError, Where
from testbed.objects import Pod, requested_address


def gateway(pod_cidr: str) -> str:
    """The address that a node has in its own share."""
    return str(IPv4Network(pod_cidr)[1])


def capacity(pod_cidr: str) -> int:
    """How many pods a share has addresses for."""
    return IPv4Network(pod_cidr).num_addresses - 3


def wanted(pod: Pod) -> str | None:
    """The address that the pod asks for by Calico's annotation, if it does and gets one at all.

    A pod with ``hostNetwork`` has its node's; no CNI plugin is asked for it.
    """
    if pod.spec.host_network:
        return None
    address = requested_address(pod.metadata.annotations)
    return None if address is None else str(address)


def holder(nodes: tuple[Node, ...], address: str) -> Node | None:
    """The node whose share has the address for a pod."""
    value = IPv4Address(address)
    for node in nodes:
        share = IPv4Network(node.pod_cidr)
        if share[2] <= value < share.broadcast_address:
            return node
    return None


class Pool:
    """The free addresses of one node's share.

    Args:
        node: The node.
        used: Addresses that pods have.
    """

    def __init__(self, node: Node, used: Container[str]) -> None:
        self._node, self._used = node, used
        share = IPv4Network(node.pod_cidr)
        self._next, self._end = int(share[2]), int(share.broadcast_address)

    def take(self, pod: Pod, where: Where) -> str:
        """An address for the pod.

        Raises:
            InputError: The share is used up, or the address asked for is outside it or taken.
        """
        asked = wanted(pod)
        return self._free(where) if asked is None else self._check(asked, where)

    def _free(self, where: Where) -> str:
        while self._next < self._end:
            address = str(IPv4Address(self._next))
            self._next += 1
            if address not in self._used:
                return address
        node = self._node
        raise InputError(
            f"node {node.name} has no address left in {node.pod_cidr} "
            f"({capacity(node.pod_cidr)} pods fit)",
            where=where,
            hint="Take more nodes, or --set a larger pod_cidr with a smaller node_cidr_mask_size.",
        )

    def _check(self, asked: str, where: Where) -> str:
        node = self._node
        if holder((node,), asked) is None:
            raise InputError(
                f"address {asked} is not one for pods of node {node.name}, which has "
                f"{node.pod_cidr}",
                where=where,
                hint="Ask for an address of the node's share from its third on, or leave it out.",
            )
        if asked in self._used:
            raise InputError(f"address {asked} is taken by another pod", where=where)
        return asked
