"""What a lab is now: what is wanted of it, its pods, its endpoints, and since when they are there.

:class:`~testbed.lab.lab.Lab` changes it; :class:`~testbed.lab.view.LabView` shows it as Kubernetes'
objects.
"""

from __future__ import annotations

from datetime import UTC, datetime

from testbed.cluster.discovery import Discovery
from testbed.kubelet.kubelet import Key, Kubelet, PodRuntime
from testbed.lab.births import Births
from testbed.lab.services import Services
from testbed.spec import Spec


class State:
    """The state of one lab.

    Args:
        spec: What it shall be.

    Attributes:
        spec: What it is to be now; ``apply`` and ``delete`` change it.
        kubelet: The pods' processes.
        services: Its Services' endpoints.
        born: When it was made.
        births: When its objects were.
        leaving: Pods that are being ended, since when, and their containers.
        served: Namespace and name of the Ingresses that a controller serves.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.kubelet = Kubelet()
        self.services = Services(now)
        self.born = now()
        self.births = Births(self.born)
        self.leaving: dict[Key, tuple[str, PodRuntime]] = {}
        self.served: frozenset[Key] = frozenset()

    def runtimes(self) -> dict[Key, PodRuntime]:
        """The containers of all pods that run, also of those that are being ended."""
        leaving = {key: runtime for key, (_, runtime) in self.leaving.items()}
        return leaving | dict(self.kubelet.pods)

    def runtime(self, key: Key) -> PodRuntime | None:
        """The containers of one pod that runs, also if it is being ended; None if there is none."""
        _, leaving = self.leaving.get(key, ("", None))
        return self.kubelet.pods.get(key, leaving)

    def discover(self) -> Discovery:
        """The Services and their endpoints as they are now."""
        return self.services.update(self.spec.cluster, self.runtimes())


def now() -> str:
    """The time as objects have it, with microseconds (:func:`testbed.lab.status.second`)."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
