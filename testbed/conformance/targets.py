"""Pods, nodes and containers as ends of traffic, each with a descriptor of its namespace."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testbed.lab.client import Lab

_ENDED = ("Succeeded", "Failed")
_ENTERING = 2.0  # seconds that a container's process may take to enter its pod
LOCALHOST = "127.0.0.1"
NOBODY = -1


@dataclass(frozen=True, slots=True)
class Target:
    """One end of traffic.

    Attributes:
        name: ``NAMESPACE/POD``, ``node/NAME`` or ``NAMESPACE/POD[CONTAINER]``.
        node: The node that it is on.
        address: Its IPv4 address.
        netns: An open descriptor of its network namespace; :data:`NOBODY` for an address that
            none has.
    """

    name: str
    node: str
    address: str
    netns: int

    @property
    def is_node(self) -> bool:
        """Whether it is a node and no pod."""
        return self.name.startswith("node/")

    @property
    def is_nobody(self) -> bool:
        """Whether it is only an address."""
        return self.netns == NOBODY

    def __str__(self) -> str:
        place = self.address if self.is_node else f"{self.address}, {self.node}"
        return f"{self.name} ({place})"


@dataclass(frozen=True)
class Targets:
    """What a lab has.

    Attributes:
        pods: The pods that have not ended, and have a network of their own.
        nodes: The nodes.
        containers: ``NAMESPACE/POD`` → those of its containers that run a process, if there are
            two or more; each by its own process's namespace.
        pod_cidrs: Node name → its share of the pod CIDR.
    """

    pods: list[Target] = field(default_factory=list)
    nodes: list[Target] = field(default_factory=list)
    containers: dict[str, list[Target]] = field(default_factory=dict)
    pod_cidrs: dict[str, str] = field(default_factory=dict)

    @property
    def node_of(self) -> dict[str, Target]:
        """The nodes by name."""
        return {node.node: node for node in self.nodes}


def live_pods(lab: Lab) -> list[dict[str, Any]]:
    """The pods of a lab that have not ended, in the API's shape."""
    return [pod for pod in lab.objects("pods") if pod["status"]["phase"] not in _ENDED]


@contextmanager
def opened(lab: Lab, wanted: Callable[[Mapping[str, str]], bool]) -> Iterator[Targets]:
    """The targets of a lab; their descriptors are open within the ``with`` block.

    Args:
        lab: The lab.
        wanted: Whether a pod with these labels is one.
    """
    found = Targets()
    try:
        _open_nodes(lab, found)
        _open_pods(lab, found, wanted)
        _open_containers(lab, found)
        yield found
    finally:
        groups = (found.pods, found.nodes, *found.containers.values())
        for target in (target for group in groups for target in group):
            os.close(target.netns)


def _open_nodes(lab: Lab, found: Targets) -> None:
    for node in lab.objects("nodes"):
        name = node["metadata"]["name"]
        address, target = node["status"]["addresses"][0]["address"], f"node/{name}"
        found.nodes.append(Target(target, name, address, lab.netns(target)))
        found.pod_cidrs[name] = node["spec"]["podCIDR"]


def _open_pods(lab: Lab, found: Targets, wanted: Callable[[Mapping[str, str]], bool]) -> None:
    for pod in live_pods(lab):
        meta = pod["metadata"]
        if not wanted(meta.get("labels", {})) or pod["spec"].get("hostNetwork"):
            continue
        name = f"{meta['namespace']}/{meta['name']}"
        node, address = pod["spec"]["nodeName"], pod["status"]["podIP"]
        found.pods.append(Target(name, node, address, lab.netns(name)))


def _open_containers(lab: Lab, found: Targets) -> None:
    """Those that run a process, from the sandbox's own /proc, as its supervisor sees it."""
    processes: dict[str, dict[str, int]] = lab.ask("processes")
    outside = Path(f"/proc/{lab.pid}/ns/net").stat().st_ino
    for pod in found.pods:
        group = []
        for container, pid in processes.get(pod.name, {}).items():
            with suppress(FileNotFoundError):  # it has ended meanwhile
                netns = _open_entered(Path(f"/proc/{lab.pid}/root/proc/{pid}/ns/net"), outside)
                group.append(Target(f"{pod.name}[{container}]", pod.node, LOCALHOST, netns))
        found.containers[pod.name] = group


def _open_entered(path: Path, outside: int) -> int:
    """A process's namespace, which it enters only a moment after its start.

    Args:
        path: The namespace in /proc.
        outside: The inode number of the one where processes start.
    """
    end = time.monotonic() + _ENTERING
    while path.stat().st_ino == outside and time.monotonic() < end:
        time.sleep(0.002)
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
