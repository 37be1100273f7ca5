"""Objects that a suite adds to a lab for its own time."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from testbed.conformance.targets import live_pods
from testbed.errors import TestbedError
from testbed.lab.client import Lab

LABEL = "testbed/conformance"
"""The label of temporary pods; its value is the namespace that they are in."""

_FILE = "testbed conformance"
_READY, _AGAIN = 60.0, 0.05  # seconds that pods have to get ready, and between two looks at them
_IDLE = [{"name": "pause", "image": "pause"}]
_ASLEEP = [
    {"name": name, "image": "busybox", "command": ["sleep", "infinity"]} for name in ("a", "b")
]


@contextmanager
def filled(lab: Lab, per_node: int) -> Iterator[str]:
    """A lab with at least so many pods on each node, within the ``with`` block.

    Pods that are missing are made in a namespace of their own that is deleted at the end, also
    after an error or an interrupt. They are idle, but for the first one, which has two containers
    that sleep. Runs at the same time do not see each other's pods.

    Args:
        lab: The lab.
        per_node: How many pods each node shall have.

    Yields:
        The namespace of the temporary pods; empty if none was needed.
    """
    namespace = f"conformance-{secrets.token_hex(3)}"
    pods = _missing(lab, per_node, namespace)
    if not pods:
        yield ""
        return
    meta = {"name": namespace, "labels": {LABEL: namespace}}
    objects = [{"apiVersion": "v1", "kind": "Namespace", "metadata": meta}, *pods]
    try:
        lab.ask("apply", manifests=[[item, _FILE, None, None] for item in objects])
        yield namespace
    finally:
        _delete(lab.name, namespace)


def put(lab: Lab, objects: Sequence[Mapping[str, Any]]) -> None:
    """Makes objects; returns when their namespaces' pods are ready and served, or time is over.

    ``apply`` waits for no more than the first answer of a pod's probe, which on a slow machine
    comes before its server. Applied once more, the objects are as they were, and what had become
    ready before is served.

    Raises:
        TestbedError: The lab refuses them.
    """
    manifests = [[item, _FILE, None, None] for item in objects]
    lab.ask("apply", manifests=manifests)
    end = time.monotonic() + _READY
    while not _ready(lab, namespaces(objects)) and time.monotonic() < end:
        time.sleep(_AGAIN)
    lab.ask("apply", manifests=manifests)


def namespaces(objects: Sequence[Mapping[str, Any]]) -> set[str]:
    """The namespaces that objects are in; a Namespace is in none."""
    metadata = (item["metadata"] for item in objects)
    return {found["namespace"] for found in metadata if "namespace" in found}


def _ready(lab: Lab, places: Collection[str]) -> bool:
    pods = (pod for pod in lab.objects("pods") if pod["metadata"]["namespace"] in places)
    conditions = (condition for pod in pods for condition in pod["status"]["conditions"])
    return all(c["status"] == "True" for c in conditions if c["type"] == "Ready")


def _missing(lab: Lab, per_node: int, namespace: str) -> list[dict[str, Any]]:
    pods = [pod for pod in live_pods(lab) if LABEL not in pod["metadata"].get("labels", {})]
    there = Counter(pod["spec"]["nodeName"] for pod in pods)
    nodes = [node["metadata"]["name"] for node in lab.objects("nodes")]
    places = [(node, i) for node in nodes for i in range(there[node], per_node)]
    return [
        _pod(namespace, f"{node}-{i + 1}", node, _IDLE if number else _ASLEEP)
        for number, (node, i) in enumerate(places)
    ]


def _pod(namespace: str, name: str, node: str, containers: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {LABEL: namespace},
        },
        "spec": {"nodeName": node, "terminationGracePeriodSeconds": 1, "containers": containers},
    }


def _delete(name: str, namespace: str) -> None:
    """By a connection of its own: an interrupt may have left an answer in the other one."""
    with suppress(TestbedError):  # the lab has ended, or the namespace was never made
        connection = Lab(name)
        connection.ask("delete", keys=[["Namespace", "", namespace]])
        connection.close()
