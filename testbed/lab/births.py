"""Since when the objects of a lab are there (``metadata.creationTimestamp``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from testbed.cluster.model import BoundPod, Cluster
from testbed.lab import status

Key = tuple[str, str]


@dataclass(frozen=True)
class Births:
    """When objects were made.

    Attributes:
        lab: When the lab was: what comes with it is as old.
        times: Kind and key → when the object was.
    """

    lab: str
    times: Mapping[tuple[str, Key], str] = field(default_factory=dict)

    def created(self, kind: str, key: Key) -> str:
        """When an object was made."""
        return self.times.get((kind, key), self.lab)

    def with_cluster(self, cluster: Cluster, fresh: Iterable[BoundPod], now: str) -> Births:
        """Those of a cluster's objects.

        Args:
            cluster: What there is.
            fresh: Pods that are new, even if one of their names was there before.
            now: When what is new was made.
        """
        known = self.times
        times = {("Pod", key): known.get(("Pod", key), now) for key in cluster.pods}
        times |= {("Pod", pod.key): now for pod in fresh}
        others = [("Namespace", ("", name)) for name in cluster.namespaces]
        others += [("Deployment", key) for key in cluster.deployments]
        for plural in status.KEPT:
            others += [(o.kind, key) for key, o in status.kept(cluster, plural).items()]
        return Births(self.lab, times | {item: known.get(item, now) for item in others})

    def and_of(self, other: Births) -> Births:
        """These, and those of others."""
        return Births(self.lab, {**self.times, **other.times})
