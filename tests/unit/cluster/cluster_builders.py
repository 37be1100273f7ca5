"""Objects and clusters in few words, for the tests of ``testbed.cluster``."""

from __future__ import annotations

from typing import Any

from testbed import cluster as clusters
from testbed.cluster import Cluster, Options
from testbed.objects import ADDRESS_ANNOTATION, Object, from_manifest
from testbed.topology.load import load

Manifest = dict[str, Any]


def new(nodes: int = 3, topology: str = "single", **options: Any) -> Cluster:
    return clusters.new(load(topology, {"nodes": str(nodes)}), Options(**options))


def _made(manifest: Manifest) -> Object:
    made = from_manifest(manifest)
    assert made is not None
    return made


def namespace(name: str) -> Object:
    return _made({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def pod(
    name: str,
    *,
    where: str = "default",
    node: str | None = None,
    address: str | None = None,
    selector: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    image: str = "pause",
) -> Object:
    metadata: Manifest = {"name": name, "namespace": where, "labels": labels or {}}
    if address:
        metadata["annotations"] = {ADDRESS_ANNOTATION: f'["{address}"]'}
    spec: Manifest = {"containers": [{"name": "c", "image": image}]}
    spec |= {"nodeName": node} if node else {}
    spec |= {"nodeSelector": selector} if selector else {}
    return _made({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


def deployment(
    name: str, replicas: int, *, where: str = "default", image: str = "pause", **template: Any
) -> Object:
    labels = {"app": name}
    spec: Manifest = {"containers": [{"name": "c", "image": image}], **template}
    return _made(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": where},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        }
    )


def apply(cluster: Cluster, *objects: Object) -> Cluster:
    return clusters.apply(cluster, objects)


def delete(cluster: Cluster, *keys: tuple[str, str, str]) -> Cluster:
    return clusters.delete(cluster, keys)


def placed(cluster: Cluster) -> list[str]:
    """Name, node and address of each pod, in the order of their making."""
    return [f"{b.key[1]} {b.node} {b.address}" for b in cluster.pods.values()]


def places(cluster: Cluster) -> dict[tuple[str, str], tuple[str, str]]:
    return {key: (bound.node, bound.address) for key, bound in cluster.pods.items()}
