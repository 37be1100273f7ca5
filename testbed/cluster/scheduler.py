"""Placement of pods: spread over the nodes, evenly per workload first and then in all.

The order of preference is that of kube-scheduler's default topology spreading by host name
(KEP-1258): fewest pods of the same Deployment, then fewest pods, then the topology's order. A pod
that names its node, a node label or an address goes where that is. Ports of the node that a pod
takes must be free (:mod:`testbed.cluster.hostports`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from testbed.cluster import hostports, ipam
from testbed.cluster.model import BoundPod, Node
from testbed.errors import InputError, Where, unknown
from testbed.objects import Pod


class Scheduler:
    """Places pods one by one, and counts them.

    Args:
        nodes: The cluster's nodes.
        placed: Pods that have a place.
    """

    def __init__(self, nodes: tuple[Node, ...], placed: Iterable[BoundPod]) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._rank = {name: rank for rank, name in enumerate(self._nodes)}
        self._total: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()
        self._ports: dict[str, set[hostports.HostPort]] = {name: set() for name in self._nodes}
        self._owned: Counter[tuple[str, str, str | None]] = Counter()
        for pod in placed:
            self._count(pod.node, pod.pod, pod.owner)

    def place(self, pod: Pod, owner: str | None, where: Where) -> Node:
        """The node for a pod.

        Raises:
            InputError: It names an unknown node, no node fits, or it has a ``hostPort`` that
                nothing forwards.
        """
        hostports.refuse_mapped(pod, where)
        namespace = pod.metadata.key[0]
        name = min(
            self._candidates(pod, where),
            key=lambda node: (
                self._owned[node, namespace, owner],
                self._total[node],
                self._rank[node],
            ),
        )
        self._count(name, pod, owner)
        return self._nodes[name]

    def _count(self, node: str, pod: Pod, owner: str | None) -> None:
        self._total[node] += 1
        self._addresses[node] += not pod.spec.host_network
        self._owned[node, pod.metadata.key[0], owner] += 1
        self._ports[node] |= hostports.host_ports(pod)

    def _candidates(self, pod: Pod, where: Where) -> list[str]:
        if pod.spec.node_name:
            if pod.spec.node_name not in self._nodes:
                raise unknown("node", pod.spec.node_name, self._nodes, where)
            return self._with_ports(pod, [pod.spec.node_name], where)
        asked = ipam.wanted(pod)
        if asked is not None:
            return [self._holder(asked, where).name]
        fits = [
            n.name for n in self._nodes.values() if self._selected(pod, n) and self._room(pod, n)
        ]
        if not fits:
            raise InputError(
                f"no node fits pod {pod.metadata.name!r}: "
                f"0/{len(self._nodes)} nodes match its nodeSelector and have an address left",
                where=where,
                hint="Take more nodes (--set nodes=N), a larger pod_cidr, or another nodeSelector.",
            )
        return self._with_ports(pod, fits, where)

    def _with_ports(self, pod: Pod, names: list[str], where: Where) -> list[str]:
        """Those of the nodes that have the ports free that the pod takes."""
        wanted = hostports.host_ports(pod)
        free = [name for name in names if hostports.free(wanted, self._ports[name])]
        if not free:
            raise InputError(
                f"no node fits pod {pod.metadata.name!r}: {len(names)} node(s) didn't have free "
                "ports for the requested pod ports",
                where=where,
                hint="Take other ports, fewer replicas, or more nodes.",
            )
        return free

    def _holder(self, asked: str, where: Where) -> Node:
        node = ipam.holder(tuple(self._nodes.values()), asked)
        if node is None:
            shares = ", ".join(f"{n.name} {n.pod_cidr}" for n in self._nodes.values())
            raise InputError(
                f"address {asked} is in no node's range", where=where, hint=f"Ranges: {shares}."
            )
        return node

    def _room(self, pod: Pod, node: Node) -> bool:
        return pod.spec.host_network or self._addresses[node.name] < ipam.capacity(node.pod_cidr)

    @staticmethod
    def _selected(pod: Pod, node: Node) -> bool:
        return all(node.labels.get(k) == v for k, v in pod.spec.node_selector.items())
