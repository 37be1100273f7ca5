"""Endpoints: those of Services with a selector, and the slices that mirror those given by hand.

As kube-controller-manager's endpoint controller and its EndpointSlice mirroring controller have it
(``pkg/controller/endpoint``, ``pkg/controller/endpointslicemirroring``), without the annotation of
the last change's time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from testbed.cluster.backends import Backend, find_port
from testbed.cluster.endpointslices import (
    HEADLESS_LABEL,
    identity,
    pack,
    same_or_new,
    slice_manifest,
)
from testbed.cluster.slicenames import Names
from testbed.cluster.sliceports import PortsKey, ports_key, sort_slice_ports
from testbed.cluster.subsets import MOST, Addressed, repack, truncate
from testbed.objects import Endpoints, EndpointSlice, Service
from testbed.objects.addresses import parse
from testbed.objects.endpoints import decode
from testbed.objects.endpointslice import MANAGER_LABEL, SERVICE_LABEL
from testbed.objects.source import Manifest

MANAGER = "endpoint-controller"
MIRROR_MANAGER = "endpointslicemirroring-controller.k8s.io"
_MANAGED_LABEL = "endpoints.kubernetes.io/managed-by"
_SKIP_LABEL = "endpointslice.kubernetes.io/skip-mirror"
_TRUNCATED = "endpoints.kubernetes.io/over-capacity"
_UNMIRRORED = (
    "endpoints.kubernetes.io/last-change-trigger-time",
    "kubectl.kubernetes.io/last-applied-configuration",
)


def make(service: Service, backends: Iterable[Backend]) -> Endpoints:
    """The Endpoints of a Service that has a selector."""
    metadata = service.metadata
    labels = {k: v for k, v in metadata.labels.items() if k != HEADLESS_LABEL}
    if service.spec.headless or not service.spec.cluster_ips:
        labels[HEADLESS_LABEL] = ""
    labels[_MANAGED_LABEL] = MANAGER
    made: Manifest = {"name": metadata.name, "namespace": metadata.namespace, "labels": labels}
    subsets = repack(item for backend in backends for item in _addressed(service, backend))
    cut = truncate(subsets)
    if cut is not None:
        made["annotations"] = {_TRUNCATED: "truncated"}
    manifest: Manifest = {"apiVersion": "v1", "kind": "Endpoints", "metadata": made}
    manifest["subsets"] = subsets if cut is None else cut
    return decode(manifest, service.source)


def _addressed(service: Service, backend: Backend) -> list[Addressed]:
    """The pod's address with each of its ports, as far as it belongs into Endpoints."""
    status, bound, spec = backend.status, backend.bound, service.spec
    if status.ended or (status.terminating and not spec.publish_not_ready_addresses):
        return []
    ports = []
    for port in spec.ports:
        number = find_port(bound, port)
        if number is not None:
            made: Manifest = {"name": port.name} if port.name else {}
            made |= {"port": number, "protocol": port.protocol}
            made |= {} if port.app_protocol is None else {"appProtocol": port.app_protocol}
            ports.append(made)
    if not ports and (spec.ports or not spec.headless):
        return []
    target = {"kind": "Pod", "namespace": bound.key[0], "name": bound.key[1]}
    address: Manifest = {"ip": bound.address, "nodeName": bound.node, "targetRef": target}
    if bound.pod.spec.hostname and bound.pod.spec.subdomain == service.metadata.name:
        address["hostname"] = bound.pod.spec.hostname
    return [(address, status.ready or spec.publish_not_ready_addresses, ports)]


def mirror(given: Endpoints, existing: Sequence[EndpointSlice] = ()) -> tuple[EndpointSlice, ...]:
    """The slices of Endpoints that were given to a Service without a selector.

    Args:
        given: The Endpoints.
        existing: The slices as they were.
    """
    if given.metadata.labels.get(_SKIP_LABEL) == "true":
        return ()
    old: dict[Any, list[EndpointSlice]] = {}
    for item in existing:
        key = (item.address_type, ports_key(item.manifest["ports"]))
        old.setdefault(key, []).append(item)
    packed = [
        (kind, ports, pack(desired, old.get((kind, key), [])[:1], MOST)[0])
        for (kind, key), (ports, desired) in _mirrored(given).items()
    ]
    names = Names(given.metadata.key, existing, [filled[0] for *_, filled in packed])
    made = (
        _mirror_manifest(given, kind, name or names.take(kind, ports), ports, endpoints)
        for kind, ports, (name, endpoints) in packed
    )
    return tuple(same_or_new(manifest, existing, given) for manifest in made)


def _mirrored(
    given: Endpoints,
) -> dict[tuple[str, PortsKey], tuple[list[Manifest], dict[Any, Manifest]]]:
    """Address type and ports → the ports, and the endpoints that have them, by their identity."""
    found: dict[tuple[str, PortsKey], tuple[list[Manifest], dict[Any, Manifest]]] = {}
    items = (
        (dict(address), ready, [dict(port) for port in subset.ports])
        for subset in given.subsets
        for ready, addresses in ((True, subset.addresses), (False, subset.not_ready_addresses))
        for address in addresses
    )
    for subset in repack(items):
        ports = sort_slice_ports([{"name": "", **port} for port in subset.get("ports", ())])
        count = 0
        for name in ("addresses", "notReadyAddresses"):
            for address in subset.get(name, ())[: MOST - count]:
                count += 1
                kind, endpoint = _mirrored_endpoint(address, ready=name == "addresses")
                _, endpoints = found.setdefault((kind, ports_key(ports)), (ports, {}))
                endpoints[identity(endpoint)] = endpoint
    return found


def _mirrored_endpoint(address: Manifest, *, ready: bool) -> tuple[str, Manifest]:
    parsed = parse(address["ip"])
    endpoint: Manifest = {"addresses": [str(parsed)], "conditions": {"ready": ready}}
    kept = {k: address[k] for k in ("hostname", "nodeName", "targetRef") if address.get(k)}
    return f"IPv{4 if parsed is None else parsed.version}", endpoint | kept


def _mirror_manifest(
    given: Endpoints, kind: str, name: str, ports: list[Manifest], endpoints: list[Manifest]
) -> Manifest:
    metadata = given.metadata
    own = {SERVICE_LABEL: metadata.name, MANAGER_LABEL: MIRROR_MANAGER}
    labels = {**metadata.labels, **own}
    made = slice_manifest(metadata.key, name, "Endpoints", labels, ports, endpoints, kind)
    annotations = {k: v for k, v in metadata.annotations.items() if k not in _UNMIRRORED}
    made["metadata"] |= {"annotations": annotations} if annotations else {}
    return made
