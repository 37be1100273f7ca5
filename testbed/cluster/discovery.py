"""Where the Services' endpoints are: the EndpointSlices and Endpoints of a cluster.

:func:`discover` is kube-controller-manager's three controllers as one pure function of the cluster
and of how its pods do. Given what it found before, it looks only at the Services that have changed
or whose pods have, and leaves all else the same values, so that a reader of the result finds the
changes by identity. A selector looks at the pods that have one of its labels, never at all pods.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from testbed.cluster import endpoints, endpointslices
from testbed.cluster.backends import READY, Backend, Pods, Statuses
from testbed.cluster.history import derive, differing
from testbed.cluster.model import BoundPod, BoundService, Cluster
from testbed.objects import Endpoints, EndpointSlice, Service
from testbed.objects.endpointslice import MANAGER_LABEL

Key = tuple[str, str]
_ZONE = "topology.kubernetes.io/zone"


@dataclass(frozen=True)
class Made:
    """What controllers make for one Service.

    Attributes:
        slices: Its EndpointSlices.
        service: The Service; None if it has no selector, or is an ExternalName.
        backends: Its pods.
    """

    slices: tuple[EndpointSlice, ...] = ()
    service: Service | None = None
    backends: tuple[Backend, ...] = ()

    @cached_property
    def endpoints(self) -> Endpoints | None:
        """Its Endpoints, made when somebody wants them; None where they are given by hand."""
        return None if self.service is None else endpoints.make(self.service, self.backends)


@dataclass(frozen=True)
class Discovery:
    """The endpoints of all Services.

    Attributes:
        cluster: The cluster that they are of.
        statuses: How its pods did.
        leaving: Pods that are no more in the cluster but still run.
        made: Namespace and name of a Service → what controllers make for it.
        given: Namespace and name of a Service → the EndpointSlices given by hand for it.
    """

    cluster: Cluster
    statuses: Statuses = field(default_factory=dict)
    leaving: Mapping[Key, BoundPod] = field(default_factory=dict)
    made: Mapping[Key, Made] = field(default_factory=dict)
    given: Mapping[Key, tuple[EndpointSlice, ...]] = field(default_factory=dict)

    @property
    def slices(self) -> dict[Key, EndpointSlice]:
        """All EndpointSlices by namespace and name: those that are made, and those given."""
        made = (item for made in self.made.values() for item in made.slices)
        return {item.metadata.key: item for item in made} | dict(self.cluster.endpoint_slices)

    @property
    def endpoints(self) -> dict[Key, Endpoints]:
        """All Endpoints by namespace and name: those that are given, and those made."""
        made = {k: m.endpoints for k, m in self.made.items() if m.endpoints is not None}
        return dict(self.cluster.endpoints) | made

    def slices_of(self, service: Key) -> tuple[EndpointSlice, ...]:
        """The slices of a Service, those given by hand last."""
        made = self.made.get(service, Made()).slices
        return (*made, *self.given.get(service, ()))

    @cached_property
    def pods(self) -> Pods:
        """The pods by their labels, with those that are leaving."""
        present = self.cluster.pods
        gone = (bound for key, bound in self.leaving.items() if key not in present)
        return Pods((*present.values(), *gone))


def discover(
    cluster: Cluster,
    statuses: Statuses | None = None,
    leaving: Iterable[BoundPod] = (),
    before: Discovery | None = None,
) -> Discovery:
    """The endpoints of a cluster's Services.

    Args:
        cluster: The cluster.
        statuses: How its pods do, as far as they are not simply ready.
        leaving: Pods that are no more in the cluster but still run; they need a status, too.
        before: What was found before; slices stay as they are where they can.
    """
    found = Discovery(cluster, statuses or {}, {bound.key: bound for bound in leaving})
    old = Discovery(cluster) if before is None else before
    services = cluster.services
    changed = services.keys() if before is None else _changed(found, before)
    made = {
        key: _make(found, services[key], old.made.get(key, Made()))
        for key in changed
        if key in services
    }
    gone = (key for key in changed if key not in services)
    given = _given(cluster, before)
    return Discovery(cluster, found.statuses, found.leaving, derive(old.made, made, gone), given)


def _given(cluster: Cluster, before: Discovery | None) -> Mapping[Key, tuple[EndpointSlice, ...]]:
    """The slices given by hand, by Service, in the order of their names."""
    slices = cluster.endpoint_slices
    old: Mapping[Key, EndpointSlice] = {} if before is None else before.cluster.endpoint_slices
    held: Mapping[Key, tuple[EndpointSlice, ...]] = {} if before is None else before.given
    names = differing(old, slices)
    both = (held_in[name].service for held_in in (old, slices) for name in names if name in held_in)
    found: dict[Key, list[EndpointSlice]] = {key: [] for key in both if key is not None}
    for key in found:
        found[key] += (one for one in held.get(key, ()) if one.metadata.key not in names)
    for name in names & slices.keys():
        if (service := slices[name].service) is not None:
            found[service].append(slices[name])
    made = {key: tuple(sorted(items, key=_name)) for key, items in found.items() if items}
    return derive(held, made, found.keys() - made.keys())


def _name(item: EndpointSlice) -> Key:
    return item.metadata.key


def _make(found: Discovery, bound: BoundService, old: Made) -> Made:
    """What controllers make for a Service."""
    service, key = bound.service, bound.key
    manager = endpoints.MIRROR_MANAGER if service.spec.selector is None else endpointslices.MANAGER
    existing = [s for s in old.slices if s.metadata.labels[MANAGER_LABEL] == manager]
    if service.spec.type == "ExternalName":
        return Made()
    if service.spec.selector is None:
        given = found.cluster.endpoints.get(key)
        return Made() if given is None else Made(endpoints.mirror(given, existing))
    selected = found.pods.select(key[0], service.spec.selector)
    backends = tuple(_backend(found, pod) for pod in selected)
    return Made(endpointslices.reconcile(service, backends, existing), service, backends)


def _backend(found: Discovery, bound: BoundPod) -> Backend:
    zone = found.cluster.node(bound.node).labels.get(_ZONE, "")
    return Backend(bound, found.statuses.get(bound.key, READY), zone)


def _changed(new: Discovery, old: Discovery) -> set[Key]:
    """The Services that must be looked at again, and those that have gone."""
    before, after = old.cluster, new.cluster
    keys = differing(before.services, after.services)
    keys |= differing(before.endpoints, after.endpoints)
    pods = list(_changed_pods(new, old))
    return keys | _selecting(after.services.values(), pods) if pods else keys


def _changed_pods(new: Discovery, old: Discovery) -> Iterator[BoundPod]:
    """The pods that are not what they were: as they were, and as they are."""
    before, after = ({**d.leaving, **d.cluster.pods} for d in (old, new))
    keys = before.keys() | after.keys()
    if old.cluster.pods is new.cluster.pods and not old.leaving and not new.leaving:
        keys = old.statuses.keys() | new.statuses.keys()  # only how they do may have changed
    for key in keys:
        same = before.get(key) is after.get(key)
        if not same or old.statuses.get(key, READY) != new.statuses.get(key, READY):
            yield from (pods[key] for pods in (before, after) if key in pods)


def _selecting(services: Iterable[BoundService], pods: list[BoundPod]) -> set[Key]:
    """The Services that select at least one of the pods."""
    labelled: dict[tuple[str, str, str], list[BoundService]] = {}
    for bound in services:
        selector = bound.service.spec.selector
        if selector:
            label = next(iter(selector.items()))
            labelled.setdefault((bound.key[0], *label), []).append(bound)
    found: set[Key] = set()
    for pod in pods:
        labels = pod.pod.metadata.labels.items()
        for label in labels:
            for bound in labelled.get((pod.key[0], *label), ()):
                if (bound.service.spec.selector or {}).items() <= labels:
                    found.add(bound.key)
    return found
