"""Services of a running lab: their endpoints as its pods do now, and since when they are there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from testbed.cluster.backends import READY, PodStatus
from testbed.cluster.discovery import Discovery, Made, discover
from testbed.cluster.history import derive, differing
from testbed.cluster.model import Cluster
from testbed.kubelet.kubelet import PodRuntime
from testbed.lab import status
from testbed.objects import Endpoints, EndpointSlice

Key = tuple[str, str]
_Named = tuple[str, Key]
PLURALS = ("services", "endpoints", "endpointslices")
"""The kinds whose objects are here."""


_HELD: Mapping[str, Callable[[Cluster], Mapping[Key, object]]] = {
    "Service": lambda cluster: cluster.services,
    "Endpoints": lambda cluster: cluster.endpoints,
    "EndpointSlice": lambda cluster: cluster.endpoint_slices,
}
"""Kind → those that are given; slices are made, too."""

_PENDING = PodStatus(ready=False)


def statuses(cluster: Cluster, runtimes: Mapping[Key, PodRuntime]) -> dict[Key, PodStatus]:
    """How the pods do that are not simply ready.

    Each pod keeps its own status up to date; here it is only gathered.
    """
    found = dict.fromkeys(cluster.pods.keys() - runtimes.keys(), _PENDING)
    said = ((key, runtime.status) for key, runtime in runtimes.items())
    return found | {key: status for key, status in said if status is not READY}


class Services:
    """The Services of one lab.

    Args:
        now: Tells the time, as Kubernetes writes it.
    """

    def __init__(self, now: Callable[[], str]) -> None:
        self._now, self._lock = now, threading.Lock()
        self._found: Discovery | None = None
        self._since: Mapping[_Named, str] = {}

    def update(self, cluster: Cluster, runtimes: Mapping[Key, PodRuntime]) -> Discovery:
        """Finds the endpoints anew, and notes what has come and gone."""
        with self._lock:
            before = self._found
            found = discover(cluster, statuses(cluster, runtimes), (), before)
            self._found, (come, gone) = found, _moves(before, found)
            moment = self._now()
            new = {one: moment for one in come if one not in self._since}
            self._since = derive(self._since, new, gone - come)
            return found

    def objects(
        self,
        plural: str,
        cluster: Cluster,
        runtimes: Mapping[Key, PodRuntime],
        uid_of_pod: Callable[[Key], str],
    ) -> list[dict[str, Any]]:
        """All objects of a kind, with status, in the order of their names, as the API has it.

        Args:
            plural: One of :data:`PLURALS`.
            cluster: The cluster as it is.
            runtimes: The pods' containers, of those that are being ended too.
            uid_of_pod: Namespace and name of a pod → its UID.
        """
        found, since = self.update(cluster, runtimes), self._since

        def uid(kind: str, key: Key) -> str | None:
            if kind == "Pod":
                return uid_of_pod(key) if key in cluster.pods else None
            return status.uid(kind, *key, born(kind, key)) if (kind, key) in since else None

        def born(kind: str, key: Key) -> str:
            return since.get((kind, key)) or since["Service", key]  # Endpoints that are made

        if plural == "services":
            services = sorted(cluster.services.items())
            return [status.service(bound, since["Service", key]) for key, bound in services]
        items: Mapping[Key, Endpoints | EndpointSlice] = (
            found.endpoints if plural == "endpoints" else found.slices
        )
        return [status.endpoints(o, born(o.kind, key), uid) for key, o in sorted(items.items())]


def _moves(old: Discovery | None, new: Discovery) -> tuple[set[_Named], set[_Named]]:
    """The objects, by kind and key, that have come, and that have gone."""
    come: set[_Named] = set()
    gone: set[_Named] = set()
    for kind, held in _HELD.items():
        before: Mapping[Key, object] = {} if old is None else held(old.cluster)
        after = held(new.cluster)
        for key in differing(before, after):
            come |= {(kind, key)} if key not in before else set()
            gone |= {(kind, key)} if key not in after else set()
    made = {} if old is None else old.made
    for key in differing(made, new.made):
        was, now = (
            {one.metadata.key for one in held.get(key, Made()).slices} for held in (made, new.made)
        )
        come |= {("EndpointSlice", name) for name in now - was}
        gone |= {("EndpointSlice", name) for name in was - now}
    return come, gone
