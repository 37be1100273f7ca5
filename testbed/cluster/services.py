"""Services as the API server keeps them: what is allocated for them, and what may not change.

As ``pkg/registry/core/service/storage`` (``storage.go``, ``alloc.go``) has it, in a cluster with
IPv4 only. A manifest that does not name its cluster IP or node ports keeps those that the Service
has. Two things are easier here: all objects that are applied together are looked at together, so
those that ask for an address or port get it before others are given any; and a Service may take
what another one of them gives up.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeVar

from testbed.cluster import serviceports
from testbed.cluster.families import fill_in
from testbed.cluster.history import derive, index
from testbed.cluster.loadbalancers import balance
from testbed.cluster.model import BoundService, Cluster
from testbed.cluster.serviceupdate import check_unchanged, keep_allocated
from testbed.cluster.vips import ClusterIps, NodePorts, Refused
from testbed.objects import Service
from testbed.objects.addresses import parse
from testbed.objects.service import decode
from testbed.objects.serviceform import HEADLESS, NODE_PORTED
from testbed.objects.source import Findings, Manifest, Origin

Key = tuple[str, str]
T = TypeVar("T", bound=Hashable)


@dataclass
class _Request:
    """A Service on its way to be bound.

    Attributes:
        service: As it was given.
        old: The specification as it was; empty if there was none.
        spec: As it is to be; filled in step by step.
        findings: What is wrong with it.
    """

    service: Service
    old: Manifest
    spec: Manifest
    findings: Findings


def apply(cluster: Cluster, given: Iterable[Service]) -> Mapping[Key, BoundService]:
    """The cluster's Services with these made or changed.

    Raises:
        InputError: A field would change that cannot, or an address or a port cannot be had.
    """
    requests = {item.metadata.key: _request(cluster, item) for item in given}
    if not requests:
        return cluster.services
    old, made = cluster.services, {}
    _allocate(cluster, requests)
    for key, request in requests.items():
        item = request.service
        service = decode({**item.manifest, "spec": request.spec}, item.source)
        made[key] = BoundService(service, old[key].load_balancer if key in old else ())
    others = (bound for key, bound in old.items() if key not in made)
    made = balance(made, others, cluster.options.lb_pool)
    # What has not changed stays the same value, so that looking for changes is cheap.
    return derive(old, {k: b for k, b in made.items() if old.get(k) != b})


def _request(cluster: Cluster, service: Service) -> _Request:
    bound = cluster.services.get(service.metadata.key)
    old = {} if bound is None else bound.service.manifest["spec"]
    spec = {**service.manifest["spec"]}
    if "ports" in spec:
        spec["ports"] = [dict(port) for port in spec["ports"]]
    if "clusterIPs" in spec:
        spec["clusterIPs"] = [str(parse(text) or text) for text in spec["clusterIPs"]]
        spec["clusterIP"] = spec["clusterIPs"][0]
    findings = Findings(Origin(service.source))
    keep_allocated(spec, old)
    if spec["type"] != "ExternalName":
        fill_in(spec, old, findings)
    check_unchanged(spec, old, findings)
    findings.check()
    return _Request(service, old, spec, findings)


def _allocate(cluster: Cluster, requests: dict[Key, _Request]) -> None:
    """Fills in cluster IPs and node ports: those asked for, then those that are not."""
    kept = [set(_addresses(r.spec)) & set(_addresses(r.old)) for r in requests.values()]
    used = _of_others(cluster, requests.keys(), _held_addresses)
    addresses = ClusterIps(cluster.options.service_cidr, used.union(*kept))
    held = [serviceports.held(r.spec) & serviceports.held(r.old) for r in requests.values()]
    ports = NodePorts(_of_others(cluster, requests.keys(), _held_ports).union(*held))
    for step in (_claim, _take):
        for request in requests.values():
            step(request, addresses, ports)
            request.findings.check()


def _of_others(
    cluster: Cluster, keys: AbstractSet[Key], what: Callable[[BoundService], Iterable[T]]
) -> set[T]:
    """What Services have, but for those that only these have."""
    users = index(cluster.services, what)
    own = (cluster.services[key] for key in keys if key in cluster.services)
    mine = {one for bound in own for one in what(bound) if users[one] <= keys}
    return users.keys() - mine


def _held_addresses(bound: BoundService) -> Iterable[str]:
    return bound.service.spec.cluster_ips


def _held_ports(bound: BoundService) -> Iterable[int]:
    spec = bound.service.spec
    return spec.node_ports if spec.type in NODE_PORTED else ()


def _claim(request: _Request, addresses: ClusterIps, ports: NodePorts) -> None:
    spec, key = request.spec, request.service.metadata.key
    for text in _addresses(spec):
        try:
            if text not in _addresses(request.old):
                addresses.claim(text, key)
        except Refused as error:
            rule = f"failed to allocate IP {text}: {error}"
            request.findings.invalid(("spec", "clusterIPs"), spec["clusterIPs"], rule)
    serviceports.claim(spec, request.old, ports, request.findings)


def _take(request: _Request, addresses: ClusterIps, ports: NodePorts) -> None:
    spec = request.spec
    try:
        if spec["type"] != "ExternalName" and not spec.get("clusterIPs"):
            spec["clusterIP"] = addresses.take(request.service.metadata.key)
            spec["clusterIPs"] = [spec["clusterIP"]]
    except Refused as error:
        request.findings.add(("spec", "clusterIPs"), f"failed to allocate a serviceIP: {error}")
    serviceports.take(spec, request.old, ports, request.findings)


def _addresses(spec: Manifest) -> list[str]:
    """The cluster IPs that a specification has or asks for."""
    return [text for text in spec.get("clusterIPs", ()) if text != HEADLESS]
