"""Which nodes may answer for a load balancer's address, and which one does.

As MetalLB's speakers decide it (``speaker/layer2_controller.go`` and ``bgp_controller.go``,
``ShouldAnnounce``): nobody while a Service has no usable endpoint; every node under
``externalTrafficPolicy: Cluster``; the nodes that have such an endpoint themselves under ``Local``.
In L2 mode the one of them answers that comes first by the SHA-256 of ``NODE#ADDRESS``, so that
addresses spread over the nodes, and those of other nodes stay where they are when one dies.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256

from testbed.cluster.discovery import Discovery
from testbed.cluster.model import BoundService


def eligible(found: Discovery, nodes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Address of a load balancer → the nodes that may answer for it; without those of nobody.

    Args:
        found: The Services and their endpoints.
        nodes: The nodes that can.
    """
    balanced = [bound for bound in found.cluster.services.values() if bound.load_balancer]
    chosen = {bound.key: _nodes(found, bound, nodes) for bound in balanced}
    return {
        address: chosen[bound.key]
        for bound in balanced
        for address in bound.load_balancer
        if chosen[bound.key]
    }


def _nodes(found: Discovery, bound: BoundService, nodes: Sequence[str]) -> tuple[str, ...]:
    slices = [one for one in found.slices_of(bound.key) if one.address_type == "IPv4"]
    usable = [end for one in slices for end in one.endpoints if end.ready or end.serving]
    if bound.service.spec.external_traffic_policy == "Local":
        own = {endpoint.node_name for endpoint in usable}
        return tuple(node for node in nodes if node in own)
    return tuple(nodes) if usable else ()


def answering(eligible: Mapping[str, Sequence[str]], alive: Collection[str]) -> dict[str, str]:
    """Address → the one node that answers for it (L2).

    Args:
        eligible: Address → the nodes that may.
        alive: The nodes that live.
    """
    living = {address: [n for n in some if n in alive] for address, some in eligible.items()}
    return {
        address: min(some, key=lambda node: sha256(f"{node}#{address}".encode()).digest())
        for address, some in living.items()
        if some
    }
