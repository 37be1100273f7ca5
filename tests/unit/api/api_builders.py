"""Objects and stores for tests of the API."""

from __future__ import annotations

from typing import Any

from testbed.api.kinds import by_plural, served
from testbed.api.paths import target
from testbed.api.query import Options, options
from testbed.api.store import Collection, Store

Json = dict[str, Any]


def pod(name: str, version: int, namespace: str = "default", **more: Any) -> Json:
    """A running pod; ``labels``, ``node``, ``phase`` and ``status`` can be given."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": more.get("labels", {}),
            "uid": f"uid-of-{name}",
            "creationTimestamp": "2026-01-02T03:04:05Z",
            "resourceVersion": str(version),
        },
        "spec": {"nodeName": more.get("node", "n1"), "containers": [{"name": "c", "image": "i"}]},
        "status": {
            "phase": more.get("phase", "Running"),
            "podIP": "10.244.1.2",
            "podIPs": [{"ip": "10.244.1.2"}],
            **more.get("status", {}),
        },
    }


def pods(**limits: int) -> Collection:
    """An empty collection of pods."""
    return Collection(by_plural()["pods"], **limits)


def store(*names: str, first: int = 101) -> Store:
    """A store with pods of these names, each a version on."""
    made = Store.of(served())
    for version, name in enumerate(names, first):
        made.put("pods", pod(name, version))
    made.begin(first - 1 + len(names))
    return made


def asked(path: str = "/api/v1/pods", **query: str) -> Options:
    """The options of a request."""
    return options(query, target(path))
