"""The pods of Services: which ones a selector selects, and how they do.

What a cluster value cannot know, because it happens, is an input: a :class:`PodStatus` for each pod
that is not simply ready.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from testbed.cluster.model import BoundPod
from testbed.objects import ServicePort

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class PodStatus:
    """How a pod does.

    Attributes:
        ready: Whether its condition ``Ready`` holds.
        terminating: Whether it has been deleted and still runs.
        ended: Whether all its containers have ended for good (Succeeded or Failed).
    """

    ready: bool = True
    terminating: bool = False
    ended: bool = False


READY = PodStatus()
"""A pod that is bound and of which nobody says otherwise."""

Statuses = Mapping[Key, PodStatus]
"""Namespace and name of a pod → how it does; pods that are not in it are ready."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A pod of a Service.

    Attributes:
        bound: The pod.
        status: How it does.
        zone: That of its node; empty for none.
    """

    bound: BoundPod
    status: PodStatus = READY
    zone: str = ""


class Pods:
    """Pods by their labels, so that a selector looks at few of them.

    Args:
        pods: The pods.
    """

    def __init__(self, pods: Iterable[BoundPod]) -> None:
        self._labelled: dict[tuple[str, str, str], list[BoundPod]] = {}
        for bound in pods:
            for label, value in bound.pod.metadata.labels.items():
                self._labelled.setdefault((bound.key[0], label, value), []).append(bound)

    def select(self, namespace: str, selector: Mapping[str, str]) -> list[BoundPod]:
        """The namespace's pods with all of these labels, in the order of their making."""
        terms = selector.items()
        found = [self._labelled.get((namespace, label, value), []) for label, value in terms]
        fewest = min(found, key=len, default=[])
        return [b for b in fewest if terms <= b.pod.metadata.labels.items()]


def find_port(bound: BoundPod, port: ServicePort) -> int | None:
    """The number of a Service's port on a pod; None if the pod has no port of that name.

    Names are looked up in the containers, then in the sidecars among the init containers
    (``FindPort`` in ``k8s.io/endpointslice/utils.go``).
    """
    if isinstance(port.target_port, int):
        return port.target_port
    spec = bound.pod.spec
    sidecars = (c for c in spec.init_containers if c.restart_policy == "Always")
    for container in (*spec.containers, *sidecars):
        for own in container.ports:
            if (own.name, own.protocol) == (port.target_port, port.protocol):
                return own.container_port
    return None
