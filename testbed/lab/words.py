"""What became of a lab's objects and pods, in kubectl's words."""

from __future__ import annotations

from testbed.cluster import Cluster, held
from testbed.kubelet.kubelet import PodRuntime
from testbed.objects import SERVED, Object


def title(item: Object) -> str:
    """An object as kubectl names it in what it did: ``service/web``."""
    return f"{resource(item.kind)}/{item.metadata.name}"


def resource(kind: str) -> str:
    """A kind as kubectl names it in what it did: with its API group."""
    group = {kind: version.partition("/")[0] for version, kind in SERVED if "/" in version}
    return kind.lower() + (f".{group[kind]}" if kind in group else "")


def verb(before: Cluster, after: Cluster, item: Object) -> str:
    """What applying an object did: ``created``, ``configured`` or ``unchanged``."""
    old, new = (held(state, item.kind, item.metadata.key) for state in (before, after))
    if old is None:
        return "created"
    return "unchanged" if new is not None and old.manifest == new.manifest else "configured"


def not_ready(pod: PodRuntime) -> str:
    """Why a pod is not ready, in the words of its containers' states and probes."""
    found = []
    for container in (*pod.init, *pod.containers):
        for state in (container.state, container.last_state):
            for detail in state.values():
                words = [str(detail[k]) for k in ("reason", "message") if k in detail]
                found += [f"{container.program.name}: {', '.join(words)}"] * bool(words)
        problems = [] if container.health is None else container.health.problems
        found += [f"{container.program.name}: {problem}" for problem in problems]
    return f"pod {'/'.join(pod.bound.key)} is not ready: {'; '.join(found)}"
