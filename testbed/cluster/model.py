"""The state of a cluster: nodes, namespaces, workloads, pods and Services with their addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from testbed.objects import (
    Deployment,
    EgressPolicy,
    Endpoints,
    EndpointSlice,
    Ingress,
    IngressClass,
    Namespace,
    Pod,
    Secret,
    Service,
)
from testbed.topology.model import Topology

SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of the cluster, as ``--set`` gives them.

    Attributes:
        pod_cidr: Where pod addresses come from.
        service_cidr: Where cluster IPs come from.
        node_cidr_mask_size: Prefix length of one node's share of ``pod_cidr`` (the name is that of
            kube-controller-manager's option).
        bfd: Whether BGP sessions are watched by BFD (RFC 5880), the fabric's and the nodes'.
        datapath: Of Open vSwitches (:data:`testbed.plan.sdn.DATAPATHS`).
        lb: How the addresses of load balancers are announced
            (:data:`testbed.cluster.loadbalancers.PROTOCOLS`).
        lb_pool: Where they come from: by default a network for documentation (RFC 5737), which
            is nobody's.
        cluster_domain: The domain of the cluster's names.
        coredns: Path of the CoreDNS to run; empty for the one that is found or built.
        dns: What serves them (:mod:`testbed.dns.options`), or ``none``.
        dns_pods: CoreDNS's ``pods``.
        ingress: The ingress controller (:mod:`testbed.ingress.addon`), or ``none``.
        ingress_policy: ``externalTrafficPolicy`` of its Service.
        ingress_replicas: How many pods it has.
        egress_exempt: Where pods' packets go with the pods' own source address: networks,
            separated by commas.
        internet: The names outside, as hosts(5); empty for the external hosts.
        mode: The CNI mode's own settings.
        proxy: The proxy mode's own settings.
    """

    pod_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.96.0.0/12"
    node_cidr_mask_size: int = 24
    bfd: bool = False
    datapath: str = "auto"
    lb: str = "l2"
    lb_pool: str = "198.51.100.0/24"
    cluster_domain: str = "cluster.local"
    coredns: str = ""
    dns: str = "none"
    dns_pods: str = "insecure"
    ingress: str = "none"
    ingress_policy: str = "Local"
    ingress_replicas: str = "1"
    egress_exempt: str = ""
    internet: str = ""
    mode: Mapping[str, str] = field(default_factory=dict, hash=False)
    proxy: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Node:
    """A node of the cluster.

    Attributes:
        name: Its name, also the fabric host's.
        address: Its address on the underlay.
        device: The interface that has this address.
        pod_cidr: Its share of the pod CIDR.
        mtu: Of its underlay interface, in bytes.
        labels: Kubernetes' well-known labels.
    """

    name: str
    address: str
    device: str
    pod_cidr: str
    mtu: int
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def namespace(self) -> str:
        """Name of its network namespace in a plan."""
        return f"node/{self.name}"


@dataclass(frozen=True)
class BoundPod:
    """A pod with its node and address.

    Attributes:
        pod: The API object.
        node: Name of the node.
        address: Its IPv4 address.
        owner: Name of the Deployment in the same namespace that it belongs to.
        template_hash: That of the owner's template.
    """

    pod: Pod
    node: str
    address: str
    owner: str | None = None
    template_hash: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.pod.metadata.key

    @property
    def namespace(self) -> str:
        """Name of its network namespace in a plan; with ``host_network`` there is none."""
        return f"pod/{self.key[0]}/{self.key[1]}"

    @property
    def host_network(self) -> bool:
        """Whether it lives in its node's network namespace, and so has its node's address."""
        return self.pod.spec.host_network


@dataclass(frozen=True, slots=True)
class BoundService:
    """A Service with its addresses.

    Attributes:
        service: The API object; what the API server allocates is filled in.
        load_balancer: The addresses of its load balancer (``status.loadBalancer.ingress``).
    """

    service: Service
    load_balancer: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.service.metadata.key


@dataclass(frozen=True)
class Cluster:
    """The desired state of a cluster.

    Attributes:
        topology: The underlay.
        options: The settings.
        nodes: In the topology's order.
        namespaces: By name.
        deployments: By namespace and name.
        pods: By namespace and name, in the order of their making.
        ordinals: Namespace and name of a Deployment → how many pods it ever had; this numbers
            the next one.
        services: By namespace and name.
        endpoints: By namespace and name; those that were given, not what controllers make.
        endpoint_slices: The same.
        ingresses: By namespace and name.
        ingress_classes: By an empty namespace and name.
        secrets: By namespace and name.
        egress_policies: By an empty namespace and name.
        dead: Names of the nodes that do not live, as far as is known.
    """

    topology: Topology
    options: Options
    nodes: tuple[Node, ...]
    namespaces: Mapping[str, Namespace] = field(default_factory=dict)
    deployments: Mapping[tuple[str, str], Deployment] = field(default_factory=dict)
    pods: Mapping[tuple[str, str], BoundPod] = field(default_factory=dict)
    ordinals: Mapping[tuple[str, str], int] = field(default_factory=dict)
    services: Mapping[tuple[str, str], BoundService] = field(default_factory=dict)
    endpoints: Mapping[tuple[str, str], Endpoints] = field(default_factory=dict)
    endpoint_slices: Mapping[tuple[str, str], EndpointSlice] = field(default_factory=dict)
    ingresses: Mapping[tuple[str, str], Ingress] = field(default_factory=dict)
    ingress_classes: Mapping[tuple[str, str], IngressClass] = field(default_factory=dict)
    secrets: Mapping[tuple[str, str], Secret] = field(default_factory=dict)
    egress_policies: Mapping[tuple[str, str], EgressPolicy] = field(default_factory=dict)
    dead: frozenset[str] = frozenset()

    def node(self, name: str) -> Node:
        """The node of that name.

        Raises:
            KeyError: There is none.
        """
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    def pods_on(self, node: str) -> list[BoundPod]:
        """The pods of a node, in the order of their making."""
        return self._by_node.get(node, [])

    @cached_property
    def _by_node(self) -> dict[str, list[BoundPod]]:
        found: dict[str, list[BoundPod]] = {}
        for pod in self.pods.values():
            found.setdefault(pod.node, []).append(pod)
        return found
