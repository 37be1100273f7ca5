"""From a cluster and API objects to the next cluster: ``apply`` and ``delete``.

What stays keeps its name, node and address. A Deployment keeps its newest template's pods only
(without Kubernetes' gradual rollout), adds what is missing and removes the youngest of what is too
many. As in Kubernetes, a running pod's spec cannot be changed, deleting a namespace or a Deployment
deletes what is in it, and deleting a Service deletes the Endpoints of its name. Services have a
module of their own, :mod:`testbed.cluster.services`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from testbed.cluster import services, workloads
from testbed.cluster.history import derive
from testbed.cluster.ipam import Pool, wanted
from testbed.cluster.model import SYSTEM_NAMESPACES, BoundPod, BoundService, Cluster
from testbed.cluster.scheduler import Scheduler
from testbed.errors import InputError, Where, unknown
from testbed.objects import (
    ADDRESS_ANNOTATION,
    Deployment,
    EgressPolicy,
    Endpoints,
    EndpointSlice,
    Ingress,
    IngressClass,
    Namespace,
    Object,
    Pod,
    Secret,
    Service,
)

Key = tuple[str, str]

_HELD = {
    "Pod": "pods",
    "Deployment": "deployments",
    "Service": "services",
    "Endpoints": "endpoints",
    "EndpointSlice": "endpoint_slices",
    "Ingress": "ingresses",
    "IngressClass": "ingress_classes",
    "Secret": "secrets",
    "CiliumEgressGatewayPolicy": "egress_policies",
}
"""Kind → where a cluster has its objects; those of no namespace under an empty one."""


def apply(cluster: Cluster, objects: Iterable[Object]) -> Cluster:
    """The cluster with these objects made or changed.

    Raises:
        InputError: A namespace or node does not exist, a pod's spec would change, or there is no
            place or address for a pod.
    """
    given = list(objects)
    namespaces = {o.metadata.name: o for o in given if isinstance(o, Namespace)}
    cluster = replace(cluster, namespaces={**cluster.namespaces, **namespaces})
    for item in given:
        if item.metadata.namespace not in (None, *cluster.namespaces):
            name = item.metadata.key[0]
            raise unknown("namespace", name, cluster.namespaces, _where(item, "metadata.namespace"))
    bare = {o.metadata.key: _updated(cluster, o) for o in given if isinstance(o, Pod)}
    deployments = {o.metadata.key: _same_selector(cluster, o) for o in _deployments(given)}
    _check_address_types(cluster, (o for o in given if isinstance(o, EndpointSlice)))
    after = replace(
        cluster,
        deployments={**cluster.deployments, **deployments},
        services=services.apply(cluster, (o for o in given if isinstance(o, Service))),
        endpoints=_with(cluster.endpoints, given, Endpoints),
        endpoint_slices=_with(cluster.endpoint_slices, given, EndpointSlice),
        ingresses=_with(cluster.ingresses, given, Ingress),
        ingress_classes=_with(cluster.ingress_classes, given, IngressClass),
        secrets=_with(cluster.secrets, given, Secret),
        egress_policies=_with(cluster.egress_policies, given, EgressPolicy),
    )
    return _settle(after, bare, deployments.keys()) if bare or deployments else after


def delete(cluster: Cluster, keys: Iterable[tuple[str, str, str]]) -> Cluster:
    """The cluster without the objects of these kinds, namespaces and names.

    A pod of a Deployment is replaced by another one, as a ReplicaSet does it.

    Raises:
        InputError: An object does not exist, or is one that cannot be deleted.
    """
    namespaces = dict(cluster.namespaces)
    gone: dict[str, set[Key]] = {kind: set() for kind in _HELD}
    for kind, namespace, name in keys:
        if kind == "Namespace":
            _drop_namespace(name, namespaces)
        elif kind in gone:
            _drop(cluster, gone[kind], (namespace, name), kind)
        else:
            raise InputError(f"{kind.lower()} {name!r} cannot be deleted")
        if kind == "Service":
            gone["Endpoints"].add((namespace, name))
    if len(namespaces) < len(cluster.namespaces):
        for kind, field in _HELD.items():
            gone[kind] |= {k for k in getattr(cluster, field) if k[0] not in ("", *namespaces)}
    left: dict[str, Any] = {
        field: derive(getattr(cluster, field), {}, gone[kind]) for kind, field in _HELD.items()
    }
    after = replace(cluster, namespaces=namespaces, **left)
    return _settle(after, {}, ()) if gone["Pod"] or gone["Deployment"] else after


def held(cluster: Cluster, kind: str, key: Key) -> Object | None:
    """The object of that kind, namespace (empty for kinds without) and name, as it is held."""
    if kind == "Namespace":
        return cluster.namespaces.get(key[1])
    found = getattr(cluster, _HELD[kind]).get(key) if kind in _HELD else None
    if isinstance(found, BoundPod):
        return found.pod
    return found.service if isinstance(found, BoundService) else found


def _with(old: Mapping[Key, Any], given: list[Object], kind: type[Any]) -> Mapping[Key, Any]:
    """The objects of a kind that are held, with the given ones."""
    return derive(old, {item.metadata.key: item for item in given if isinstance(item, kind)})


def _drop_namespace(name: str, namespaces: dict[str, Namespace]) -> None:
    if name in SYSTEM_NAMESPACES:
        raise InputError(f"namespace {name!r} cannot be deleted")
    if namespaces.pop(name, None) is None:
        raise InputError(f"namespace {name!r} not found")


def _drop(cluster: Cluster, gone: set[Key], key: Key, kind: str) -> None:
    if key in gone or key not in getattr(cluster, _HELD[kind]):
        place = f" in namespace {key[0]!r}" if key[0] else ""
        raise InputError(f"{kind.lower()} {key[1]!r} not found{place}")
    gone.add(key)


def _where(item: Object, field: str) -> Where:
    source = item.source
    return Where(source.file, source.document, source.line, field)


def _deployments(given: list[Object]) -> Iterator[Deployment]:
    return (item for item in given if isinstance(item, Deployment))


def _check_address_types(cluster: Cluster, slices: Iterable[EndpointSlice]) -> None:
    """Refuses another type of addresses of a slice (``ValidateEndpointSliceUpdate``)."""
    for item in slices:
        old = cluster.endpoint_slices.get(item.metadata.key)
        if old is not None and old.address_type != item.address_type:
            raise InputError(
                f'Invalid value: "{item.address_type}": field is immutable',
                where=_where(item, "addressType"),
            )


def _same_selector(cluster: Cluster, deployment: Deployment) -> Deployment:
    """The Deployment, if its selector is that of the one that runs: it cannot be changed."""
    old = cluster.deployments.get(deployment.metadata.key)
    if old is not None and old.selector != deployment.selector:
        raise InputError(
            "a Deployment's selector cannot be changed",
            where=_where(deployment, "spec.selector"),
            hint="Delete the Deployment first.",
        )
    return deployment


def _updated(cluster: Cluster, pod: Pod) -> Pod:
    """The pod, if it is new or differs from the one that runs in labels and annotations only.

    The address annotation counts as the spec: the address is given when the pod is made.
    """
    old = cluster.pods.get(pod.metadata.key)
    if old is None:
        return pod
    before, after = dict(old.pod.manifest["spec"]), dict(pod.manifest["spec"])
    before.pop("nodeName", None)
    moved = after.pop("nodeName", None) not in (None, old.node)
    if before != after or moved or wanted(pod) not in (None, old.address):
        raise InputError(
            "a running pod's spec cannot be changed",
            where=_where(pod, "spec" if wanted(pod) in (None, old.address) else ADDRESS_ANNOTATION),
            hint="Delete the pod first, or use a Deployment.",
        )
    return pod


def _settle(cluster: Cluster, bare: dict[Key, Pod], changed: Collection[Key]) -> Cluster:
    """Removes pods that have no reason any more, and places those that have no place yet.

    Args:
        cluster: The cluster, all but its pods as it is to be.
        bare: Pods that were given.
        changed: Deployments that were given.
    """
    hashes = {k: workloads.template_hash(cluster.deployments[k]) for k in changed}
    kept = {k: bound for k, bound in cluster.pods.items() if _has_reason(cluster, hashes, bound)}
    missing: list[tuple[Pod, str | None]] = []
    for key, pod in bare.items():
        if key in kept:
            kept[key] = replace(kept[key], pod=pod)
        else:
            missing.append((pod, None))
    ordinals = dict(cluster.ordinals)
    owned: dict[Key, list[Key]] = {}
    for key, bound in kept.items():
        owned.setdefault((key[0], bound.owner or ""), []).append(key)
    for key, deployment in cluster.deployments.items():
        own = owned.get(key, [])
        for surplus in own[deployment.replicas :]:
            del kept[surplus]
        first, lack = ordinals.get(key, 0), max(0, deployment.replicas - len(own))
        made = workloads.make_pods(deployment, range(first, first + lack))
        missing += [(pod, key[1]) for pod in made]
        ordinals[key] = first + lack
    return replace(cluster, pods=_bind(cluster, kept, missing), ordinals=ordinals)


def _has_reason(cluster: Cluster, hashes: dict[Key, str], bound: BoundPod) -> bool:
    """Whether nobody owns the pod, or its owner exists and still has the pod's template."""
    if bound.owner is None:
        return True
    owner = (bound.key[0], bound.owner)
    return owner in cluster.deployments and hashes.get(owner, bound.template_hash) == (
        bound.template_hash
    )


def _bind(
    cluster: Cluster, kept: dict[Key, BoundPod], missing: list[tuple[Pod, str | None]]
) -> dict[Key, BoundPod]:
    """Gives nodes and addresses; pods that ask for an address come first, so that it is free."""
    if not missing:
        return kept
    used = {bound.address for bound in kept.values()}
    scheduler = Scheduler(cluster.nodes, kept.values())
    pools = {node.name: Pool(node, used) for node in cluster.nodes}
    bound: dict[Key, BoundPod] = {}
    for pod, owner in sorted(missing, key=lambda item: wanted(item[0]) is None):
        node = scheduler.place(pod, owner, _where(pod, "spec"))
        if pod.spec.host_network:
            address = node.address
        else:
            address = pools[node.name].take(pod, _where(pod, "spec"))
        used.add(address)
        template = pod.metadata.labels.get(workloads.HASH_LABEL, "") if owner else ""
        bound[pod.metadata.key] = BoundPod(pod, node.name, address, owner, template)
    return kept | {pod.metadata.key: bound[pod.metadata.key] for pod, _ in missing}
