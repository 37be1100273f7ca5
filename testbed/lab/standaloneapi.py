"""The Kubernetes API without a lab: for what reads it beside something else than a lab.

The same process as a lab's (:mod:`testbed.api`), told directly what there is: of a whole cluster by
:meth:`StandaloneApi.become`, which tells only what is not the same value as before, or object by
object. It serves Services, EndpointSlices, Nodes, Namespaces and the ServiceCIDR, which is what
kube-proxy asks for. Pods are not served, nor what is made of them but slices.

::

    with netns.entered():
        listener = socket.create_server(("127.0.0.1", 0))
    with StandaloneApi(listener) as api:
        api.become(discover(cluster))        # from now on clients are answered
        api.become(discover(changed))        # a watch is told what has changed
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from testbed.cluster.discovery import Discovery
from testbed.lab import nodeinfo, protocol, status

Json = dict[str, Any]
Key = tuple[str, str]
BORN = "2026-01-01T00:00:00.000000Z"
"""When all objects were made."""

_AT_ONCE = 200  # objects in a message
_PATIENCE = 10.0  # seconds that the process has to end


class StandaloneApi(AbstractContextManager["StandaloneApi"]):
    """A process that serves the API until it is closed.

    Args:
        listener: A listening TCP socket, in whichever network namespace; it is taken over.
        log: Descriptor of a file for what the process says of errors; None for nowhere.

    Attributes:
        version: The counter of changes (``resourceVersion``).
    """

    def __init__(self, listener: socket.socket, log: int | None = None) -> None:
        self.version = 1
        self._listener: socket.socket | None = listener
        self._parts: dict[str, Mapping[Key, Any]] = {}
        self._feed, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "testbed.api", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL if log is None else log,
            )

    def become(self, discovery: Discovery) -> None:
        """Has it serve a cluster's Services; those of before that are not there any more end.

        Args:
            discovery: The cluster and its slices.
        """
        changes: list[list[Any]] = []
        for plural, parts in _parts(discovery).items():
            old = self._parts.get(plural, {})
            changes += [self._gone(plural, key) for key in old.keys() - parts.keys()]
            new = (part for key, part in parts.items() if old.get(key) is not part)
            changes += [self._put(plural, _object(discovery, plural, part)) for part in new]
            self._parts[plural] = parts
        self._tell(changes)

    def put(self, plural: str, objects: Iterable[Json]) -> None:
        """Makes or changes objects, given as the API is to tell them but for their version."""
        self._tell([self._put(plural, item) for item in objects])

    def remove(self, plural: str, keys: Iterable[Key]) -> None:
        """Takes objects away, by namespace (empty for kinds without) and name."""
        self._tell([self._gone(plural, key) for key in keys])

    def close(self) -> None:
        """Ends the process."""
        self._feed.close()
        if self._listener is not None:
            self._listener.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _put(self, plural: str, item: Json) -> list[Any]:
        self.version += 1
        metadata = {**item["metadata"], "resourceVersion": str(self.version)}
        return [plural, {**item, "metadata": metadata}]

    def _gone(self, plural: str, key: Key) -> list[Any]:
        self.version += 1
        return [plural, list(key), self.version]

    def _tell(self, changes: list[list[Any]]) -> None:
        """Tells changes; with the first the process begins to answer."""
        for start in range(0, len(changes), _AT_ONCE):
            protocol.send(self._feed, {"changes": changes[start : start + _AT_ONCE]})
        if self._listener is not None:
            protocol.send(self._feed, {"ready": self.version})
            protocol.send(self._feed, {"listen": "node"}, [self._listener.fileno()])
            self._listener.close()
            self._listener = None


def _parts(discovery: Discovery) -> dict[str, dict[Key, Any]]:
    """Plural → key → what an object is made of; the same value if nothing has changed."""
    cluster = discovery.cluster
    return {
        "servicecidrs": {("", "kubernetes"): cluster.options.service_cidr},
        "nodes": {("", node.name): node for node in cluster.nodes},
        "namespaces": {("", name): item for name, item in cluster.namespaces.items()},
        "services": dict(cluster.services),
        "endpointslices": discovery.slices,
    }


def _object(discovery: Discovery, plural: str, part: Any) -> Json:
    """An object as the API tells it."""
    cluster = discovery.cluster
    if plural == "servicecidrs":
        return status.service_cidr(part, BORN)
    if plural == "nodes":
        return status.node(cluster, part, BORN, nodeinfo.info())
    if plural == "namespaces":
        return status.namespace(part.manifest, BORN)
    if plural == "services":
        return status.service(part, BORN)

    def uid(kind: str, key: Key) -> str | None:
        return status.uid(kind, *key, BORN) if key in cluster.services else None

    return status.endpoints(part, BORN, uid)
