"""Which node is the gateway of a policy, and which of its pods' packets go there.

As Cilium's agents decide it (``pkg/egressgateway``): of the nodes that the policy's selector
matches, the first by name; here, the first that lives, so that another takes over when it dies.
Where a packet of a pod goes is the longest prefix's matter, over all policies: to a gateway, or
(``excludedCIDRs``) on as ever. Of two policies with the same destination for a pod, the first by
name counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from testbed.cluster.model import BoundPod, Cluster, Node
from testbed.objects import EgressPolicy

Destinations = dict[IPv4Network, EgressPolicy | None]
"""Prefix → the policy whose gateway packets go through; None for none."""


def policies(cluster: Cluster) -> list[EgressPolicy]:
    """The policies by their names."""
    return [cluster.egress_policies[key] for key in sorted(cluster.egress_policies)]


def candidates(cluster: Cluster, policy: EgressPolicy) -> list[Node]:
    """The nodes that may be a policy's gateway, the first choice first."""
    return sorted(
        (node for node in cluster.nodes if policy.nodes.matches(node.labels)),
        key=lambda node: node.name,
    )


def gateway(cluster: Cluster, policy: EgressPolicy, seer: Node) -> Node | None:
    """The node that is a policy's gateway; None if none lives: packets are dropped then.

    Args:
        cluster: The cluster.
        policy: The policy.
        seer: Who wants to know: to itself each node lives, also if nobody hears of it any more.
    """
    dead = cluster.dead - {seer.name}
    return next((node for node in candidates(cluster, policy) if node.name not in dead), None)


def selected(cluster: Cluster, policy: EgressPolicy, pod: BoundPod) -> bool:
    """Whether a policy is for a pod; one in its node's network has no policy."""
    if pod.host_network:
        return False
    labels = cluster.node(pod.node).labels
    if policy.pod_nodes and not any(s.matches(labels) for s in policy.pod_nodes):
        return False
    namespace = pod.key[0]
    of_namespace = cluster.namespaces[namespace].metadata.labels
    own = pod.pod.metadata.labels
    return any(rule.matches(namespace, of_namespace, own) for rule in policy.rules)


def destinations(cluster: Cluster, pod: BoundPod) -> Destinations:
    """Where a pod's packets are treated in a way of their own, the longest prefix first."""
    found: Destinations = {}
    for policy in policies(cluster):
        if selected(cluster, policy, pod):
            own: Destinations = dict.fromkeys(policy.destinations, policy)
            found = own | dict.fromkeys(policy.excluded) | found
    return dict(sorted(found.items(), key=lambda item: (-item[0].prefixlen, item[0])))


def routed(cluster: Cluster) -> Iterator[tuple[BoundPod, Destinations]]:
    """The pods that leave through a gateway."""
    for pod in cluster.pods.values():
        found = destinations(cluster, pod)
        if any(found.values()):
            yield pod, found
