"""Services (v1).

The rules are in :mod:`testbed.objects.servicecheck`. What the API server allocates (cluster IPs,
node ports, the health check's node port) is absent until a cluster has given it
(:mod:`testbed.cluster.vips`), and so are the address families, which depend on the cluster.

Defaults as in ``pkg/apis/core/v1/defaults.go`` (``SetDefaults_Service``) and, for ``clusterIPs``,
``pkg/registry/core/service/storage/storage.go`` (``normalizeClusterIPs``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from testbed.objects import names
from testbed.objects.kind import Kind
from testbed.objects.meta import Metadata
from testbed.objects.podspec import Protocol
from testbed.objects.servicecheck import validate
from testbed.objects.serviceform import HEADLESS, externally_accessible, has_virtual_ip, shorten
from testbed.objects.source import Manifest, Source

ServiceType = Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]
Policy = Literal["Cluster", "Local"]

AFFINITY_SECONDS = 10_800
"""How long ``sessionAffinity: ClientIP`` remembers a client where nothing else is said."""


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A port of a Service.

    Attributes:
        name: Unique in the Service; empty if it has none, as a single port may.
        port: Of the Service's addresses.
        protocol: ``TCP``, ``UDP`` or ``SCTP``.
        target_port: Of the endpoints: a number, or the name of a port of the pods.
        node_port: Of every node; 0 for none.
        app_protocol: What is spoken, such as ``kubernetes.io/h2c``; None if it is not said.
    """

    name: str
    port: int
    protocol: Protocol
    target_port: int | str
    node_port: int
    app_protocol: str | None

    @classmethod
    def decode(cls, manifest: Mapping[str, Any]) -> ServicePort:
        """The port of a valid Service."""
        return cls(
            manifest.get("name", ""),
            manifest["port"],
            manifest["protocol"],
            manifest["targetPort"],
            manifest.get("nodePort", 0),
            manifest.get("appProtocol"),
        )


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """What a Service is to be.

    Attributes:
        type: What kind of addresses it has.
        ports: In the order of declaration.
        selector: Labels of its pods; None where endpoints are given by hand.
        cluster_ips: ``("None",)`` for a headless Service; empty before the cluster has given them,
            and for ``ExternalName``.
        external_ips: Addresses of others that nodes take for it, as written.
        external_name: What an ``ExternalName`` stands for; else empty.
        session_affinity: ``None`` or ``ClientIP``.
        affinity_seconds: How long a client stays with its endpoint; 0 without affinity.
        internal_traffic_policy: For traffic from inside; ``Cluster`` where there is none.
        external_traffic_policy: For traffic from outside; None if it cannot come.
        load_balancer_ip: The address that a load balancer is asked for; empty for any.
        load_balancer_class: Whose load balancer it is to be; None for the lab's.
        load_balancer_source_ranges: Who may use the load balancer; empty for all.
        allocate_node_ports: Whether a load balancer's ports get node ports.
        health_check_node_port: Where nodes tell load balancers of local endpoints; 0 for none.
        publish_not_ready_addresses: Whether endpoints count as ready whatever they are.
        traffic_distribution: ``PreferClose``, ``PreferSameZone``, ``PreferSameNode`` or None.
    """

    type: ServiceType
    ports: tuple[ServicePort, ...]
    selector: Mapping[str, str] | None
    cluster_ips: tuple[str, ...]
    external_ips: tuple[str, ...]
    external_name: str
    session_affinity: Literal["None", "ClientIP"]
    affinity_seconds: int
    internal_traffic_policy: Policy
    external_traffic_policy: Policy | None
    load_balancer_ip: str
    load_balancer_class: str | None
    load_balancer_source_ranges: tuple[str, ...]
    allocate_node_ports: bool
    health_check_node_port: int
    publish_not_ready_addresses: bool
    traffic_distribution: str | None

    @property
    def node_ports(self) -> tuple[int, ...]:
        """All its node ports, the health check's among them."""
        found = (*(port.node_port for port in self.ports), self.health_check_node_port)
        return tuple(port for port in found if port)

    @property
    def headless(self) -> bool:
        """Whether it asks for no cluster IP (``clusterIP: None``)."""
        return self.cluster_ips == (HEADLESS,)

    @classmethod
    def decode(cls, spec: Mapping[str, Any]) -> ServiceSpec:
        """The specification of a valid Service, with its defaults filled in."""
        affinity = spec.get("sessionAffinityConfig", {}).get("clientIP", {})
        return cls(
            type=spec["type"],
            ports=tuple(ServicePort.decode(port) for port in spec.get("ports", ())),
            selector=spec.get("selector"),
            cluster_ips=tuple(spec.get("clusterIPs", ())),
            external_ips=tuple(spec.get("externalIPs", ())),
            external_name=spec.get("externalName", ""),
            session_affinity=spec["sessionAffinity"],
            affinity_seconds=affinity.get("timeoutSeconds", 0),
            internal_traffic_policy=spec.get("internalTrafficPolicy", "Cluster"),
            external_traffic_policy=spec.get("externalTrafficPolicy"),
            load_balancer_ip=spec.get("loadBalancerIP", ""),
            load_balancer_class=spec.get("loadBalancerClass"),
            load_balancer_source_ranges=tuple(spec.get("loadBalancerSourceRanges", ())),
            allocate_node_ports=spec.get("allocateLoadBalancerNodePorts", True),
            health_check_node_port=spec.get("healthCheckNodePort", 0),
            publish_not_ready_addresses=spec.get("publishNotReadyAddresses", False),
            traffic_distribution=spec.get("trafficDistribution"),
        )


@dataclass(frozen=True, slots=True)
class Service:
    """A Service.

    Attributes:
        metadata: Name, namespace, labels, annotations.
        spec: What it is to be.
        manifest: The object as Kubernetes JSON.
        source: Where it was read.
    """

    kind: ClassVar[str] = "Service"
    api_version: ClassVar[str] = "v1"

    metadata: Metadata
    spec: ServiceSpec
    manifest: Manifest
    source: Source = field(compare=False)


def decode(manifest: Manifest, source: Source) -> Service:
    """The Service of a valid manifest whose defaults are filled in."""
    return Service(
        Metadata.decode(manifest), ServiceSpec.decode(manifest["spec"]), manifest, source
    )


def _default(manifest: Manifest) -> None:
    spec = manifest["spec"] = shorten(manifest.get("spec", {}))
    spec["type"] = spec.get("type", "ClusterIP")
    _default_affinity(spec)
    for port in spec.get("ports", ()):
        port["protocol"] = port.get("protocol", "TCP")
        port["targetPort"] = port.get("targetPort", port["port"])
    if externally_accessible(spec):
        spec["externalTrafficPolicy"] = spec.get("externalTrafficPolicy", "Cluster")
    if has_virtual_ip(spec):
        spec.setdefault("internalTrafficPolicy", "Cluster")
    elif spec.get("internalTrafficPolicy") in {"Cluster", "Local"}:
        del spec["internalTrafficPolicy"]  # as the API server shows it
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    if "clusterIP" in spec and "clusterIPs" not in spec:
        spec["clusterIPs"] = [spec["clusterIP"]]


def _default_affinity(spec: Manifest) -> None:
    spec["sessionAffinity"] = spec.get("sessionAffinity", "None")
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        config = spec.get("sessionAffinityConfig", {}).get("clientIP", {})
        if "timeoutSeconds" not in config:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": AFFINITY_SECONDS}}


KIND = Kind(
    "v1", "Service", "services", ("svc",), True, names.dns_1035_label, _default, validate, decode
)
