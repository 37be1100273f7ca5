"""What a proxy sees of Services: the contract between the cluster and every proxy mode.

Small and frozen, in kube-proxy's own terms, so that a mode reads like its counterpart in
``pkg/proxy``: each port of each Service with its virtual addresses (:class:`ServicePortInfo`), and
where its traffic goes (:class:`Endpoint`), both by :class:`ServicePortName`. The same for all
nodes; which endpoints a node uses is :func:`testbed.cluster.categorize.categorize`. A view is made
by :func:`testbed.cluster.proxyview.proxy_view`.

Every address is text as :mod:`ipaddress` writes it, every name has been checked: all of it may be
put into a rule as it is. IPv4 only. Services without a cluster IP (headless, ExternalName) are none
of a proxy's business and not in a view.

Source: ``pkg/proxy/types.go``, ``serviceport.go``, ``endpoint.go``, Kubernetes 1.34.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from testbed.cluster.history import differing
from testbed.objects.podspec import Protocol


class ServicePortName(NamedTuple):
    """A port of a Service by name (``ServicePortName``).

    Attributes:
        namespace: Of the Service.
        name: Of the Service.
        port: Name of the port; empty for a port without.
        protocol: ``TCP``, ``UDP`` or ``SCTP``.
    """

    namespace: str
    name: str
    port: str
    protocol: Protocol

    def __str__(self) -> str:
        """As in comments and chain names: ``default/web:http``, or ``default/web``."""
        return f"{self.namespace}/{self.name}" + (f":{self.port}" if self.port else "")


@dataclass(frozen=True, slots=True)
class ServicePortInfo:
    """A port of a Service (``ServicePort``, ``BaseServicePortInfo``).

    Attributes:
        cluster_ip: The Service's address in the cluster.
        port: Of ``cluster_ip``, ``external_ips`` and ``load_balancer_vips``.
        protocol: ``TCP``, ``UDP`` or ``SCTP``.
        node_port: Of the nodes' addresses; 0 for none.
        external_ips: Further addresses (``spec.externalIPs``).
        load_balancer_vips: Its load balancer's addresses.
        affinity_seconds: How long a client's address stays with its endpoint; 0 for no affinity.
        source_ranges: Who may use the load balancer's addresses; empty for everybody.
        health_check_node_port: Where the node tells whether it has endpoints; 0 for nowhere.
        external_policy_local: Whether traffic from outside may only go to the node's own endpoints.
        internal_policy_local: The same for traffic from inside.
    """

    cluster_ip: str
    port: int
    protocol: Protocol
    node_port: int = 0
    external_ips: tuple[str, ...] = ()
    load_balancer_vips: tuple[str, ...] = ()
    affinity_seconds: int = 0
    source_ranges: tuple[str, ...] = ()
    health_check_node_port: int = 0
    external_policy_local: bool = False
    internal_policy_local: bool = False

    @property
    def externally_accessible(self) -> bool:
        """Whether it can be reached by anything but its cluster IP."""
        return bool(self.node_port or self.load_balancer_vips or self.external_ips)

    @property
    def uses_cluster_endpoints(self) -> bool:
        """Whether some of its traffic may go to any endpoint.

        External traffic with the policy Local is such, too: what pods and the node itself send to
        an external address is not restricted to the node's own endpoints (short circuit).
        """
        return not self.internal_policy_local or self.externally_accessible

    @property
    def uses_local_endpoints(self) -> bool:
        """Whether some of its traffic may go to the node's own endpoints only."""
        return self.internal_policy_local or (
            self.external_policy_local and self.externally_accessible
        )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where traffic can go (``Endpoint``, ``BaseEndpointInfo``).

    Attributes:
        ip: Its address.
        port: Its port.
        node: Its node; None if it is on none.
        ready: Whether new connections may go to it; never while it terminates, unless the Service
            publishes endpoints that are not ready.
        serving: Whether it answers, terminating or not.
        terminating: Whether it is about to end.
        zone_hints: Zones that are to use it.
        node_hints: Nodes that are to use it.
    """

    ip: str
    port: int
    node: str | None = None
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    zone_hints: frozenset[str] = frozenset()
    node_hints: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """``IP:PORT``, as in rules and hashes."""
        return f"{self.ip}:{self.port}"

    def is_local(self, node: str) -> bool:
        """Whether it is on this node."""
        return self.node == node


@dataclass(frozen=True)
class ProxyView:
    """All Services and their endpoints.

    Attributes:
        services: Each port of each Service (``ServicePortMap``).
        endpoints: Its endpoints (``EndpointsMap``), in the order of their text ``IP:PORT``; each
            name of ``services`` is there, if need be with none. One ``IP:PORT`` is there twice
            only if two slices have it on different nodes.
    """

    services: Mapping[ServicePortName, ServicePortInfo] = field(default_factory=dict)
    endpoints: Mapping[ServicePortName, tuple[Endpoint, ...]] = field(default_factory=dict)

    def changed(self, before: ProxyView) -> set[ServicePortName]:
        """The ports that are new, gone, or other than before, or whose endpoints are."""
        names = differing(before.services, self.services)
        names |= differing(before.endpoints, self.endpoints)
        return {
            name
            for name in names
            if self.services.get(name) != before.services.get(name)
            or self.endpoints.get(name) != before.endpoints.get(name)
        }
