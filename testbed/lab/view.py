"""A lab's state as Kubernetes' objects: what its ledger keeps the versions of.

Pods are the many, and change one by one: each is made anew only if it, or the state of one of its
containers, has changed. The objects of the other kinds are made all at once, when the cluster has
changed, or (where they depend on pods) any container's state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from testbed.cluster.model import BoundPod
from testbed.ingress import addon
from testbed.kubelet.kubelet import Key, PodRuntime
from testbed.lab import nodeinfo, status
from testbed.lab.services import PLURALS
from testbed.lab.state import State
from testbed.objects import SERVED

_OF_THE_CLUSTER = {"namespaces", "nodes", "services", "servicecidrs", *status.KEPT}
"""Kinds that do not depend on what pods do."""

_COME = ("nodes", "servicecidrs")
"""Kinds that come with a lab."""

Json = dict[str, Any]


class LabView:
    """See :class:`testbed.lab.ledger.View`.

    Args:
        state: The lab's.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def plurals(self) -> tuple[str, ...]:
        """Those that can be applied, and those that come with a lab, which are first."""
        return (*_COME, *(kind.plural for kind in SERVED.values()))

    def inputs(self, plural: str) -> tuple[object, ...]:
        """The cluster, and where it matters what pods do, all of that."""
        cluster, pods = self._state.spec.cluster, self._state.kubelet.revision
        if plural == "ingresses":
            return (cluster, self._state.served)
        return (cluster,) if plural in _OF_THE_CLUSTER else (cluster, pods)

    def parts(self, plural: str) -> Mapping[Key, Any] | None:
        """Of pods, each with its containers and their revision."""
        if plural != "pods":
            return None
        state, running = self._state, dict(self._state.kubelet.pods)
        found = {}
        for key, bound in state.spec.cluster.pods.items():
            since, runtime = state.leaving.get(key, ("", running.get(key)))
            found[key] = (bound, since, runtime, runtime and runtime.revision)
        return found

    def object(self, plural: str, part: Any) -> Json:
        """A pod; one that is being ended says so (``metadata.deletionTimestamp``)."""
        bound, since, runtime, _ = part
        item = self._pod(bound, runtime)
        if since:
            grace = bound.pod.spec.termination_grace_period_seconds
            stamps = {
                "deletionTimestamp": status.second(since),
                "deletionGracePeriodSeconds": grace,
            }
            item["metadata"] = {**item["metadata"], **stamps}
        return item

    def pod(self, key: Key) -> Json:
        """A pod by its namespace and name."""
        return self._pod(self._state.spec.cluster.pods[key], self._state.kubelet.pods.get(key))

    def _pod(self, bound: BoundPod, runtime: PodRuntime | None) -> Json:
        created, cluster = self._created("Pod", bound.key), self._state.spec.cluster
        return status.pod(cluster, bound, runtime, created, self._owner_uid(bound))

    def objects(self, plural: str) -> list[Json]:
        """All objects of another kind, with status."""
        cluster, born = self._state.spec.cluster, self._state.born
        if plural == "servicecidrs":
            return [status.service_cidr(cluster.options.service_cidr, born)]
        if plural == "nodes":
            return [status.node(cluster, one, born, nodeinfo.info()) for one in cluster.nodes]
        if plural == "namespaces":
            return [
                status.namespace(item.manifest, self._created("Namespace", ("", name)))
                for name, item in cluster.namespaces.items()
            ]
        if plural == "deployments":
            return self._deployments()
        return self._of_services(plural) if plural in PLURALS else self._kept(plural)

    def _of_services(self, plural: str) -> list[Json]:
        state = self._state
        return state.services.objects(plural, state.spec.cluster, state.runtimes(), self._uid)

    def _kept(self, plural: str) -> list[Json]:
        """Objects of a kind whose manifests are kept; Ingresses that are served have addresses."""
        cluster, served = self._state.spec.cluster, self._state.served
        at = addon.addresses(cluster) if plural == "ingresses" else ()
        return [
            status.as_kept(item, self._created(item.kind, key), at if key in served else ())
            for key, item in status.kept(cluster, plural).items()
        ]

    def _deployments(self) -> list[Json]:
        owned: dict[tuple[str, str | None], list[PodRuntime]] = {}
        for runtime in list(self._state.kubelet.pods.values()):
            owned.setdefault((runtime.bound.key[0], runtime.bound.owner), []).append(runtime)
        return [
            status.deployment(item, owned.get(key, []), self._created("Deployment", key))
            for key, item in self._state.spec.cluster.deployments.items()
        ]

    def _created(self, kind: str, key: Key) -> str:
        return self._state.births.created(kind, key)

    def _uid(self, pod: Key) -> str:
        return status.uid("Pod", *pod, self._created("Pod", pod))

    def _owner_uid(self, bound: BoundPod) -> str:
        """The UID of the Deployment that a pod belongs to; empty if it belongs to none."""
        if bound.owner is None:
            return ""
        owner = bound.key[0], bound.owner
        return status.uid("Deployment", *owner, self._created("Deployment", owner))
