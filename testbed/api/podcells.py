"""The cells of a pod's row in a table (``printPod`` of Kubernetes' ``printers.go``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from testbed.api.age import since

Json = Mapping[str, Any]
NONE = "<none>"


def ready(pod: Json) -> str:
    """How many containers are ready, of how many."""
    sidecars = _sidecars(pod)
    states = [s for s in _init_states(pod) if s["name"] in sidecars and s.get("started")]
    if _initializing(pod) is None:
        states += _states(pod)
    count = sum(bool(state["ready"]) for state in states)
    return f"{count}/{len(pod['spec']['containers']) + len(sidecars)}"


def status(pod: Json) -> str:
    """Why the pod is as it is, in a word."""
    phase = str(pod["status"].get("phase", ""))
    if "deletionTimestamp" in pod["metadata"] and phase not in {"Succeeded", "Failed"}:
        return "Terminating"
    return _initializing(pod) or _of_containers(pod, pod["status"].get("reason") or phase)


def restarts(pod: Json) -> str:
    """How often containers were started again, and when that was last."""
    states = list(_init_states(pod))
    if _initializing(pod) is None:
        sidecars = _sidecars(pod)
        states = [state for state in states if state["name"] in sidecars] + _states(pod)
    count = sum(int(state["restartCount"]) for state in states)
    ended = [_terminated(state.get("lastState", {})).get("finishedAt") for state in states]
    last = max((time for time in ended if time), default=None)
    return f"{count} ({since(last)} ago)" if count and last else str(count)


def address(pod: Json) -> str:
    """Its first address."""
    addresses = pod["status"].get("podIPs") or ()
    return str(addresses[0]["ip"]) if addresses else NONE


def gates(pod: Json) -> str:
    """How many of its readiness gates are open, of how many."""
    wanted = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]
    conditions = pod["status"].get("conditions") or ()
    true = {c["type"] for c in conditions if c["status"] == "True"}
    return f"{sum(gate in true for gate in wanted)}/{len(wanted)}" if wanted else NONE


def _states(pod: Json) -> list[Json]:
    return list(pod["status"].get("containerStatuses") or ())


def _init_states(pod: Json) -> Iterator[Json]:
    yield from pod["status"].get("initContainerStatuses") or ()


def _sidecars(pod: Json) -> set[str]:
    containers = pod["spec"].get("initContainers") or ()
    return {c["name"] for c in containers if c.get("restartPolicy") == "Always"}


def _terminated(state: Json) -> Json:
    found: Json = state.get("terminated") or {}
    return found


def _initializing(pod: Json) -> str | None:
    """What the pod's init containers wait for; None when they are done."""
    total, sidecars = len(pod["spec"].get("initContainers") or ()), _sidecars(pod)
    for index, item in enumerate(_init_states(pod)):
        state = item["state"]
        ended = _terminated(state)
        if ended and ended["exitCode"] == 0:
            continue
        if item["name"] in sidecars and item.get("started"):
            continue
        if ended:
            return f"Init:{ended.get('reason') or 'ExitCode:' + str(ended['exitCode'])}"
        waits = (state.get("waiting") or {}).get("reason", "")
        return f"Init:{index}/{total}" if waits in {"", "PodInitializing"} else f"Init:{waits}"
    return None


def _of_containers(pod: Json, reason: str) -> str:
    """The reason of the first container that has one."""
    running = False
    for item in reversed(_states(pod)):
        state = item["state"]
        ended, waits = _terminated(state), (state.get("waiting") or {}).get("reason")
        if waits:
            reason = str(waits)
        elif ended:
            reason = str(ended.get("reason") or f"ExitCode:{ended['exitCode']}")
        else:
            running = running or bool(item["ready"] and state.get("running"))
    if reason == "Completed" and running:
        conditions = pod["status"].get("conditions") or ()
        whole = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        return "Running" if whole else "NotReady"
    return reason
