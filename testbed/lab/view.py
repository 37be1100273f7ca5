"""The lab as its ledger sees it: what its objects are made of, and the objects.

Pods are the many, and change one by one: each is made anew only if it, or the state of one of its
containers, has changed. The objects of the other kinds are made all at once, when the cluster has
changed, or (where they depend on pods) any container's state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from testbed.lab import status
from testbed.lab.kubelet import Key, PodRuntime
from testbed.objects import SERVED

if TYPE_CHECKING:
    from testbed.lab.lab import Lab

_OF_THE_CLUSTER = {"namespaces", "nodes", "services", "servicecidrs", *status.KEPT}
"""Kinds that do not depend on what pods do."""

_COME = ("nodes", "servicecidrs")
"""Kinds that come with a lab."""

Json = dict[str, Any]


class LabView:
    """See :class:`testbed.lab.ledger.View`.

    Args:
        lab: The lab.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    @property
    def plurals(self) -> tuple[str, ...]:
        """Those that can be applied, and those that come with a lab, which are first."""
        return (*_COME, *(kind.plural for kind in SERVED.values()))

    def inputs(self, plural: str) -> tuple[object, ...]:
        """The cluster, and where it matters what pods do, all of that."""
        cluster, pods = self._lab.spec.cluster, self._lab.kubelet.revision
        if plural == "ingresses":
            return (cluster, self._lab.ingresses.served)
        return (cluster,) if plural in _OF_THE_CLUSTER else (cluster, pods)

    def parts(self, plural: str) -> Mapping[Key, Any] | None:
        """Of pods, each with its containers and their revision."""
        if plural != "pods":
            return None
        pods, leaving, running = self._lab.spec.cluster.pods, self._lab.leaving, self._running()
        found = {}
        for key, bound in pods.items():
            since, runtime = leaving.get(key, ("", running.get(key)))
            found[key] = (bound, since, runtime, runtime and runtime.revision)
        return found

    def _running(self) -> dict[Key, PodRuntime]:
        return dict(self._lab.kubelet.pods)

    def object(self, plural: str, part: Any) -> Json:
        """A pod; one that is being ended says so (``metadata.deletionTimestamp``)."""
        bound, since, runtime, _ = part
        lab = self._lab
        created, owner = lab.created(bound.key), lab.owner_uid(bound)
        item = status.pod(lab.spec.cluster, bound, runtime, created, owner)
        if since:
            grace = bound.pod.spec.termination_grace_period_seconds
            stamps = {
                "deletionTimestamp": status.second(since),
                "deletionGracePeriodSeconds": grace,
            }
            item["metadata"] = {**item["metadata"], **stamps}
        return item

    def objects(self, plural: str) -> list[Json]:
        """All objects of another kind."""
        if plural == "servicecidrs":
            options = self._lab.spec.cluster.options
            return [status.service_cidr(options.service_cidr, self._lab.born)]
        return self._lab.objects(plural)
