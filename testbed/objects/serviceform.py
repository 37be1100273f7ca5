"""What the form of a Service's specification says, before and after defaults are filled in.

As ``pkg/api/service/util.go`` and the fields' ``omitempty`` in ``k8s.io/api/core/v1/types.go``.
"""

from __future__ import annotations

from testbed.objects.source import Manifest

HEADLESS = "None"
"""The cluster IP of a Service that wants none."""

VIRTUAL = ("ClusterIP", "NodePort", "LoadBalancer")
"""The types of Services that have a cluster IP."""

NODE_PORTED = ("NodePort", "LoadBalancer")
"""The types of Services that have node ports."""

_POINTERS = frozenset(
    {
        "allocateLoadBalancerNodePorts",
        "internalTrafficPolicy",
        "ipFamilyPolicy",
        "loadBalancerClass",
        "trafficDistribution",
    }
)
"""Fields in which an empty value is not an absent one."""


_PORT_KEPT = frozenset({"appProtocol", "port"})


def shorten(spec: Manifest) -> Manifest:
    """The specification without fields that are empty, which Kubernetes does not tell from absent.

    The items of ``ports`` are new dictionaries, so that defaults can be filled in.
    """
    kept = {name: value for name, value in spec.items() if value or name in _POINTERS}
    if "ports" in kept:
        ports = kept["ports"]
        kept["ports"] = [{k: v for k, v in p.items() if v or k in _PORT_KEPT} for p in ports]
    return kept


def has_virtual_ip(spec: Manifest) -> bool:
    """Whether a Service of this type has a cluster IP, or could (a headless one has none)."""
    return spec["type"] in VIRTUAL


def headless(spec: Manifest) -> bool:
    """Whether the Service asks for no cluster IP."""
    return bool(spec.get("clusterIPs", ()) == [HEADLESS])


def externally_accessible(spec: Manifest) -> bool:
    """Whether traffic can come from outside (``ExternallyAccessible``)."""
    external = spec["type"] == "ClusterIP" and bool(spec.get("externalIPs"))
    return external or needs_node_ports(spec)


def needs_node_ports(spec: Manifest) -> bool:
    """Whether the Service's type has node ports."""
    return spec["type"] in NODE_PORTED


def needs_health_check(spec: Manifest) -> bool:
    """Whether nodes have to tell a load balancer if they have endpoints (``NeedsHealthCheck``)."""
    return spec["type"] == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"
