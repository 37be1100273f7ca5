"""The Service ``kubernetes`` of namespace ``default``, by which pods reach the API.

As kube-apiserver itself makes it (``pkg/controlplane/controller/kubernetesservice`` and
``pkg/controlplane/reconcilers``): the first cluster IP, port 443, no selector, and Endpoints and an
EndpointSlice of the same name with the addresses of the machines that run an API server, without
node names. In a lab each node serves the API (``docs/api.md``); the first three stand here, which
is a usual control plane. Who deletes it finds it there again, as kube-apiserver makes it again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from testbed.cluster import reconcile
from testbed.cluster.model import Cluster
from testbed.cluster.vips import KUBERNETES
from testbed.objects import Object, from_manifest

PORT = 6443
"""Of the API on each node, that of a kube-apiserver; it speaks plain HTTP."""

SERVICE_PORT = 443
"""Of the API at the Service's cluster IP."""

_SERVERS = 3
_LABELS = {"component": "apiserver", "provider": "kubernetes"}
Manifest = dict[str, Any]


def with_api(cluster: Cluster) -> Cluster:
    """The cluster with the API's Service and its endpoints."""
    addresses = [node.address for node in cluster.nodes[:_SERVERS]]
    return reconcile.apply(cluster, _objects(addresses))


def delete(cluster: Cluster, keys: Iterable[tuple[str, str, str]]) -> Cluster:
    """As :func:`testbed.cluster.reconcile.delete`; what is deleted of the API's Service comes back.

    Raises:
        InputError: An object does not exist, or is one that cannot be deleted.
    """
    gone = list(keys)
    left = reconcile.delete(cluster, gone)
    bound = cluster.services.get(KUBERNETES)
    ours = bound is not None and bound.service.metadata.labels.items() >= _LABELS.items()
    return with_api(left) if ours and any(key[1:] == KUBERNETES for key in gone) else left


def _objects(addresses: list[str]) -> list[Object]:
    port = {"name": "https", "protocol": "TCP", "port": PORT}
    served = {**port, "port": SERVICE_PORT, "targetPort": PORT}
    of_service = {"kubernetes.io/service-name": KUBERNETES[1]}
    unmirrored = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    ips = [{"ip": address} for address in addresses]
    ends = [{"addresses": [address], "conditions": {"ready": True}} for address in addresses]
    return [
        _object("v1", "Service", _LABELS, spec={"type": "ClusterIP", "ports": [served]}),
        _object("v1", "Endpoints", unmirrored, subsets=[{"addresses": ips, "ports": [port]}]),
        _object(
            "discovery.k8s.io/v1", "EndpointSlice", of_service,
            addressType="IPv4", ports=[port], endpoints=ends,
        ),
    ]  # fmt: skip


def _object(version: str, kind: str, labels: Manifest, **rest: Any) -> Object:
    metadata = {"namespace": KUBERNETES[0], "name": KUBERNETES[1], "labels": labels}
    return from_manifest({"apiVersion": version, "kind": kind, "metadata": metadata, **rest})
