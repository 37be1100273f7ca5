"""What the states of its containers make of a pod: its phase, its readiness, its conditions.

Source: ``pkg/kubelet/kubelet_pods.go`` (``getPhase``), ``pkg/kubelet/status/generate.go``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from testbed.kubelet.containers import Container
from testbed.objects.podspec import PodSpec

Json = dict[str, Any]
Containers = Sequence[Container]


def phase(spec: PodSpec, init: Containers, containers: Containers) -> str:
    """The phase of a pod whose containers are at work."""
    states = [container.state for container in containers]
    policy = spec.restart_policy
    tried = (container.state.get("terminated", {}).get("exitCode") for container in init)
    if policy == "Never" and any(tried):
        return "Failed"
    if any("waiting" in c.state and not c.last_state for c in containers):
        return "Pending"
    if any("running" in state or "waiting" in state for state in states) or policy == "Always":
        return "Running"
    codes = [state["terminated"]["exitCode"] for state in states]
    if any(codes):
        return "Failed" if policy == "Never" else "Running"
    return "Succeeded"


def lasting(spec: PodSpec, init: Containers, containers: Containers) -> list[Container]:
    """The containers that run as long as the pod: its sidecars, and those that are no init ones."""
    declared = zip(spec.init_containers, init, strict=True)
    return [*(c for own, c in declared if own.restart_policy == "Always"), *containers]


def readiness(found: str, unready: Sequence[str]) -> Json:
    """What the conditions ``ContainersReady`` and ``Ready`` say.

    Args:
        found: The pod's phase.
        unready: The names of its containers that are not ready.
    """
    if found == "Succeeded":
        return {"status": "False", "reason": "PodCompleted"}
    if found == "Failed":
        return {"status": "False", "reason": "PodFailed"}
    if not unready:
        return {"status": "True"}
    message = f"containers with unready status: [{' '.join(unready)}]"
    return {"status": "False", "reason": "ContainersNotReady", "message": message}
