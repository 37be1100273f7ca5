"""The EndpointSlices of a Service with a selector, as kube-controller-manager makes them.

The slices that there are are the third input: an endpoint stays in its slice, and as few slices as
possible change. Source: ``k8s.io/endpointslice`` (``reconciler.go``, ``utils.go``,
``trafficdist/trafficdist.go``). Three differences: names end in letters that follow from the
Service and not from chance; there is no annotation of the last change's time; and the annotation
``service.kubernetes.io/topology-mode``, which wants the nodes' CPUs, has no effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from testbed.cluster.backends import Backend, find_port
from testbed.cluster.slicenames import Names
from testbed.cluster.sliceports import PortsKey, ports_key, sort_slice_ports
from testbed.objects import EndpointSlice, Service
from testbed.objects.endpointslice import MANAGER_LABEL, SERVICE_LABEL, decode
from testbed.objects.source import Manifest

MANAGER = "endpointslice-controller.k8s.io"
MOST = 100
"""Endpoints of a slice (``--max-endpoints-per-slice``)."""

HEADLESS_LABEL = "service.kubernetes.io/headless"
_RESERVED = (SERVICE_LABEL, MANAGER_LABEL, HEADLESS_LABEL)
_MODES = ("service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode")

Filled = tuple[str | None, list[Manifest]]
"""The name of a slice, None for a new one, and its endpoints."""


def reconcile(
    service: Service, backends: Iterable[Backend], existing: Sequence[EndpointSlice] = ()
) -> tuple[EndpointSlice, ...]:
    """The slices of a Service that has a selector.

    Args:
        service: The Service.
        backends: Its pods.
        existing: Its slices as they were.

    Returns:
        At least one: a Service without pods has an empty one.
    """
    old: dict[PortsKey, list[EndpointSlice]] = {}
    for item in existing:
        old.setdefault(ports_key(item.manifest.get("ports", [])), []).append(item)
    packed: list[tuple[list[Manifest], Filled]] = []
    for key, (ports, desired) in _desired(service, backends).items():
        packed += [(ports, filled) for filled in pack(desired, old.get(key, []), MOST)]
    if not packed:
        name = existing[0].metadata.name if existing else None
        packed = [([], (name, []))]
    names = Names(service.metadata.key, existing, [filled[0] for _, filled in packed])
    made = (
        _manifest(service, name or names.take(ports), ports, endpoints)
        for ports, (name, endpoints) in packed
    )
    return tuple(same_or_new(manifest, existing, service) for manifest in made)


def same_or_new(manifest: Manifest, existing: Sequence[EndpointSlice], owner: Any) -> EndpointSlice:
    """The slice of a manifest: the one that there is, if it is the same."""
    for item in existing:
        if item.manifest == manifest:
            return item
    return decode(manifest, owner.source)


def _desired(
    service: Service, backends: Iterable[Backend]
) -> dict[PortsKey, tuple[list[Manifest], dict[Any, Manifest]]]:
    """Ports → the same as manifests, and the endpoints that have them, by their identity."""
    found: dict[PortsKey, tuple[list[Manifest], dict[Any, Manifest]]] = {}
    for backend in backends:
        if backend.status.ended:
            continue
        ports = _ports(service, backend)
        _, endpoints = found.setdefault(ports_key(ports), (ports, {}))
        endpoint = _endpoint(service, backend)
        endpoints[identity(endpoint)] = endpoint
    return found


def _ports(service: Service, backend: Backend) -> list[Manifest]:
    """The Service's ports on a pod; those whose name the pod does not know are left out."""
    found = []
    for port in service.spec.ports:
        number = find_port(backend.bound, port)
        if number is not None:
            made: Manifest = {"name": port.name, "port": number, "protocol": port.protocol}
            made |= {} if port.app_protocol is None else {"appProtocol": port.app_protocol}
            found.append(made)
    return sort_slice_ports(found)


def _endpoint(service: Service, backend: Backend) -> Manifest:
    bound, status = backend.bound, backend.status
    key, spec = bound.key, bound.pod.spec
    ready = service.spec.publish_not_ready_addresses or (status.ready and not status.terminating)
    made: Manifest = {
        "addresses": [bound.address],
        "conditions": {
            "ready": ready,
            "serving": status.ready,
            "terminating": status.terminating,
        },
        "nodeName": bound.node,
        "targetRef": {"kind": "Pod", "namespace": key[0], "name": key[1]},
    }
    if backend.zone:
        made["zone"] = backend.zone
    if spec.hostname and spec.subdomain == service.metadata.name:
        made["hostname"] = spec.hostname
    if ready and (hints := _hints(service, backend)):
        made["hints"] = hints
    return made


def _hints(service: Service, backend: Backend) -> Manifest:
    """Who is to use an endpoint, by the Service's ``trafficDistribution`` (KEP-4444, KEP-3015)."""
    annotations, wish = service.metadata.annotations, service.spec.traffic_distribution
    mode = next((annotations[name] for name in _MODES if name in annotations), "")
    if wish is None or mode in {"Auto", "auto"}:
        return {}
    hints: Manifest = {"forZones": [{"name": backend.zone}]} if backend.zone else {}
    if wish == "PreferSameNode":
        hints["forNodes"] = [{"name": backend.bound.node}]
    return hints


def identity(endpoint: Manifest) -> Any:
    """What makes an endpoint the same one (``util/endpointset.go``)."""
    target = endpoint.get("targetRef", {})
    return (
        tuple(endpoint["addresses"]),
        endpoint.get("hostname"),
        target.get("namespace"),
        target.get("name"),
    )


def pack(
    desired: dict[Any, Manifest], existing: Sequence[EndpointSlice], most: int
) -> list[Filled]:
    """Endpoints in slices (``reconcileByPortMapping``).

    Args:
        desired: The endpoints by their identity; what has found a place is taken out.
        existing: The slices as they were, all with the same ports.
        most: Endpoints of a slice.
    """
    changed: list[Filled] = []
    unchanged: list[Filled] = []
    for item in existing:
        before = item.manifest["endpoints"]
        wanted = (desired.pop(identity(one), None) for one in before)
        after = [one for one in wanted if one is not None]
        if after or not before:
            (unchanged if after == before else changed).append((item.metadata.name, after))
    for _, endpoints in sorted(changed, key=lambda filled: -len(filled[1])):
        _fill(endpoints, desired, most)
    while desired:
        few = len(desired) < most
        fits = [f for f in unchanged if few and len(desired) + len(f[1]) <= most]
        target = max(fits, key=lambda filled: len(filled[1]), default=None)
        if target is None:
            target = (None, [])
            changed.append(target)
        _fill(target[1], desired, most)
    return unchanged + changed


def _fill(endpoints: list[Manifest], desired: dict[Any, Manifest], most: int) -> None:
    while desired and len(endpoints) < most:
        endpoints.append(desired.pop(next(iter(desired))))


def _manifest(
    service: Service, name: str, ports: list[Manifest], endpoints: list[Manifest]
) -> Manifest:
    metadata = service.metadata
    labels = {k: v for k, v in metadata.labels.items() if k not in _RESERVED}
    if not service.spec.cluster_ips or service.spec.headless:
        labels[HEADLESS_LABEL] = ""
    labels |= {SERVICE_LABEL: metadata.name, MANAGER_LABEL: MANAGER}
    return slice_manifest(metadata.key, name, "Service", labels, ports, endpoints)


def slice_manifest(
    key: tuple[str, str],
    name: str,
    owner: str,
    labels: dict[str, str],
    ports: list[Manifest],
    endpoints: list[Manifest],
    address_type: str = "IPv4",
) -> Manifest:
    """A slice that a controller makes; ``owner`` is the kind of the object ``key``."""
    reference = {"apiVersion": "v1", "kind": owner, "name": key[1]}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name,
            "generateName": Names.prefix(key[1]),
            "namespace": key[0],
            "labels": labels,
            "ownerReferences": [{**reference, "controller": True, "blockOwnerDeletion": True}],
        },
        "addressType": address_type,
        "endpoints": endpoints,
        "ports": ports,
    }
