"""API objects with their status, as ``get -o json`` prints them and a client library reads them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from testbed.cluster.model import BoundPod, BoundService, Cluster, Node
from testbed.kubelet import podstatus
from testbed.kubelet.containers import Container
from testbed.kubelet.kubelet import PodRuntime
from testbed.objects import (
    Deployment,
    EgressPolicy,
    Endpoints,
    EndpointSlice,
    Ingress,
    IngressClass,
    Secret,
)

Key = tuple[str, str]
_UID_SPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # RFC 4122's name space for URLs

Json = dict[str, Any]


def uid(kind: str, namespace: str, name: str, created: str) -> str:
    """The UID of an object: the same each time that somebody asks.

    Another object that is later made under the same name has another one, so the time of creation
    must be finer than the seconds that are shown.
    """
    return str(uuid.uuid5(_UID_SPACE, f"{kind}/{namespace}/{name}{created}"))


def second(time: str) -> str:
    """A time without fractions of its second, as Kubernetes writes it."""
    return f"{time[:19]}Z"


def _meta(manifest: Json, kind: str, created: str) -> Json:
    """The manifest's metadata with the fields that the server adds."""
    metadata = dict(manifest["metadata"])
    metadata["uid"] = uid(kind, metadata.get("namespace", ""), metadata["name"], created)
    metadata["creationTimestamp"] = second(created)
    return metadata


KEPT = {
    "ingresses": "ingresses",
    "ingressclasses": "ingress_classes",
    "secrets": "secrets",
    "ciliumegressgatewaypolicies": "egress_policies",
}
"""Kinds that are kept as they were given: plural → where a cluster has them."""


Kept = Ingress | IngressClass | Secret | EgressPolicy


def kept(cluster: Cluster, plural: str) -> Mapping[Key, Kept]:
    """The objects of one of these kinds."""
    found: Mapping[Key, Kept] = getattr(cluster, KEPT[plural])
    return found


def as_kept(item: Kept, created: str, addresses: Iterable[str] = ()) -> Json:
    """An object that is kept as it was given; an Ingress also has the addresses it is served at."""
    metadata = _meta(item.manifest, item.kind, created)
    at = [{"ip": address} for address in addresses]
    balancer = {"loadBalancer": {"ingress": at} if at else {}}
    status: Json = {"status": balancer} if isinstance(item, Ingress) else {}
    return {**item.manifest, "metadata": metadata, **status}


def _condition(kind: str, holds: bool, since: str) -> Json:
    return {"type": kind, "status": str(holds), "lastTransitionTime": second(since)}


def namespace(manifest: Json, created: str) -> Json:
    """A Namespace with its phase."""
    metadata = _meta(manifest, "Namespace", created)
    return {**manifest, "metadata": metadata, "status": {"phase": "Active"}}


def node(cluster: Cluster, item: Node, created: str, machine: Json) -> Json:
    """A Node with its addresses and its share of the pod CIDR.

    Args:
        cluster: Its cluster.
        item: The node.
        created: When it was made.
        machine: What every node says of the machine (:mod:`testbed.lab.nodeinfo`).
    """
    manifest = {"metadata": {"name": item.name, "labels": dict(item.labels)}}
    addresses = [
        {"type": "InternalIP", "address": item.address},
        {"type": "Hostname", "address": item.name},
    ]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": _meta(manifest, "Node", created),
        "spec": {"podCIDR": item.pod_cidr, "podCIDRs": [item.pod_cidr]},
        "status": {
            "addresses": addresses,
            "conditions": [_condition("Ready", True, created)],
            **machine,
        },
    }


def service_cidr(cidr: str, created: str) -> Json:
    """The ServiceCIDR (networking.k8s.io/v1, KEP-1880) that a cluster begins with."""
    manifest = {"metadata": {"name": "kubernetes"}}
    said = {"reason": "", "message": "Kubernetes Service CIDR is ready"}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "ServiceCIDR",
        "metadata": _meta(manifest, "ServiceCIDR", created),
        "spec": {"cidrs": [cidr]},
        "status": {"conditions": [_condition("Ready", True, created) | said]},
    }


def deployment(item: Deployment, pods: list[PodRuntime], created: str) -> Json:
    """A Deployment with its counts of replicas."""
    ready = sum(pod.ready for pod in pods)
    status = {
        "replicas": len(pods),
        "updatedReplicas": len(pods),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": item.replicas - ready,
        "conditions": [_condition("Available", ready >= item.replicas, created)],
    }
    metadata = _meta(item.manifest, "Deployment", created)
    return {**item.manifest, "metadata": metadata, "status": status}


def service(bound: BoundService, created: str) -> Json:
    """A Service with the addresses of its load balancer."""
    manifest = bound.service.manifest
    ingress = [{"ip": address, "ipMode": "VIP"} for address in bound.load_balancer]
    metadata = _meta(manifest, "Service", created)
    balancer = {"ingress": ingress} if ingress else {}
    return {**manifest, "metadata": metadata, "status": {"loadBalancer": balancer}}


def endpoints(
    item: Endpoints | EndpointSlice, created: str, uid_of: Callable[[str, Key], str | None]
) -> Json:
    """Endpoints or an EndpointSlice, with the UIDs of owner and pods.

    Args:
        item: The object.
        created: When it was made.
        uid_of: Kind, namespace and name → UID; None if there is no such object.
    """

    def known(reference: Json, namespace: str) -> Json:
        found = uid_of(reference["kind"], (namespace, reference["name"]))
        return {**reference, **({} if found is None else {"uid": found})}

    def targeted(one: Json) -> Json:
        target = one.get("targetRef", {})
        if target.get("kind") != "Pod" or not target.get("name"):
            return one
        return {**one, "targetRef": known(target, target.get("namespace", ""))}

    manifest, metadata = dict(item.manifest), _meta(item.manifest, item.kind, created)
    namespace = item.metadata.key[0]
    if "ownerReferences" in metadata:
        owners = metadata["ownerReferences"]
        metadata["ownerReferences"] = [known(owner, namespace) for owner in owners]
    if isinstance(item, EndpointSlice):
        manifest["endpoints"] = [targeted(one) for one in manifest["endpoints"]]
    else:
        manifest["subsets"] = [
            {name: [targeted(one) for one in part] for name, part in subset.items()}
            for subset in manifest.get("subsets", ())
        ]
    return {**manifest, "metadata": metadata}


def pod(
    cluster: Cluster,
    bound: BoundPod,
    runtime: PodRuntime | None,
    created: str,
    owner_uid: str,
) -> Json:
    """A Pod with its node, addresses, phase and the states of its containers.

    Args:
        cluster: Its cluster.
        bound: The pod.
        runtime: Its containers, as far as they have been started.
        created: When it was made.
        owner_uid: The UID of the Deployment that it belongs to, if it does.
    """
    manifest, metadata = bound.pod.manifest, _meta(bound.pod.manifest, "Pod", created)
    if bound.owner:
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": bound.owner}
        owner |= {"uid": owner_uid}
        metadata["ownerReferences"] = [{**owner, "controller": True}]
    host = cluster.node(bound.node).address
    containers = [] if runtime is None else [_container(c) for c in runtime.containers]
    phase = "Pending" if runtime is None else runtime.phase
    status = {
        "phase": phase,
        "conditions": [
            _condition("PodScheduled", True, created),
            *_readiness(bound, runtime, phase, created),
        ],
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "podIP": bound.address,
        "podIPs": [{"ip": bound.address}],
        "startTime": second(created),
        "containerStatuses": containers,
    }
    if runtime is not None and runtime.init:
        status["initContainerStatuses"] = [_init_container(c) for c in runtime.init]
    reason = _reason(containers)
    spec = {**manifest["spec"], "nodeName": bound.node}
    status |= {"reason": reason} if reason else {}
    return {**manifest, "metadata": metadata, "spec": spec, "status": status}


def _container(container: Container) -> Json:
    program = container.program
    return {
        "name": program.name,
        "image": program.image,
        "imageID": "",
        "ready": container.ready,
        "started": container.started,
        "restartCount": container.restarts,
        "state": container.state,
        "lastState": container.last_state,
    }


def _init_container(container: Container) -> Json:
    """An init container is ready when it has ended well; a sidecar as other containers are."""
    ended = container.state.get("terminated", {}).get("exitCode")
    return _container(container) | ({"ready": True} if ended == 0 else {})


def _readiness(bound: BoundPod, runtime: PodRuntime | None, phase: str, created: str) -> list[Json]:
    """The conditions ``Ready`` and ``ContainersReady``."""
    spec = bound.pod.spec
    unready = [c.name for c in spec.containers] if runtime is None else runtime.unready
    since = (runtime and runtime.ready_since) or created
    said = podstatus.readiness(phase, unready) | {"lastTransitionTime": second(since)}
    return [{"type": kind, **said} for kind in ("Ready", "ContainersReady")]


def _reason(containers: list[Json]) -> str | None:
    """Why the pod is not running as it should: the reason of the first container that is not."""
    for container in containers:
        for kind in ("waiting", "terminated"):
            reason: str | None = container["state"].get(kind, {}).get("reason")
            if reason and reason != "Completed":
                return reason
    return None
