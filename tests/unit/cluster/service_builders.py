"""Services and their endpoints in few words, for the tests of ``testbed.cluster``."""

from __future__ import annotations

from typing import Any

from cluster_builders import Manifest

from testbed.cluster import BoundService, Cluster
from testbed.cluster.discovery import Discovery
from testbed.objects import Object, from_manifest


def service(
    name: str = "web",
    where: str = "default",
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    **spec: Any,
) -> Object:
    """A Service; of pods ``app=NAME`` and with port 80 where nothing else is said."""
    if spec.get("type") != "ExternalName":
        spec = {"ports": [{"port": 80}], "selector": {"app": name}} | spec
    metadata: Manifest = {"name": name, "namespace": where, "labels": labels or {}}
    metadata |= {"annotations": annotations} if annotations else {}
    spec = {key: value for key, value in spec.items() if value is not None}
    return from_manifest(
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    )


def endpoints(name: str, *subsets: Manifest, **metadata: Any) -> Object:
    meta = {"name": name, "namespace": "default"} | metadata
    return from_manifest(
        {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta, "subsets": list(subsets)}
    )


def endpoint_slice(
    name: str, owner: str, *items: Manifest, ports: list[Manifest] | None = None, **more: Any
) -> Object:
    return from_manifest(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": name,
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": owner},
            },
            "addressType": "IPv4",
            "endpoints": list(items),
            "ports": [{"port": 80}] if ports is None else ports,
            **more,
        }
    )


def bound(cluster: Cluster, name: str = "web", where: str = "default") -> BoundService:
    return cluster.services[where, name]


def spec_of(cluster: Cluster, name: str = "web") -> Manifest:
    found: Manifest = bound(cluster, name).service.manifest["spec"]
    return found


def sizes(found: Discovery, name: str = "web") -> dict[str, int]:
    """How many endpoints each slice of a Service has."""
    slices = found.slices_of(("default", name))
    return {item.metadata.name: len(item.endpoints) for item in slices}
