"""From a container's declaration to the program that it runs: image, variables, downward API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.cluster.model import BoundPod
from testbed.errors import InputError, Where
from testbed.kernel.sandbox import STATE
from testbed.objects import Container, environment, expand
from testbed.spec import program as resolve

COMPONENTS = STATE / "bin"
"""Where a lab has the real components that it needs (:mod:`testbed.go.components`)."""

PATH = f"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:{COMPONENTS}"
_LOGS = STATE / "logs"


@dataclass(frozen=True, slots=True)
class Program:
    """What a container runs.

    Attributes:
        name: The container's.
        image: As written.
        argv: Program and arguments; None for a container without process (``pause``).
        environment: Name → value, complete.
        directory: Where it starts; None for ``/``.
        log: The file that takes its output.
    """

    name: str
    image: str
    argv: tuple[str, ...] | None
    environment: Mapping[str, str]
    directory: str | None
    log: Path


def host_name(bound: BoundPod) -> str:
    """The host name of a pod's containers; with ``hostNetwork`` it is that of the node."""
    if bound.host_network:
        return bound.node
    return bound.pod.spec.hostname or bound.key[1]


def of_pod(bound: BoundPod, pod: dict[str, Any]) -> tuple[list[Program], list[Program]]:
    """The programs of a pod's init containers and of its containers.

    Args:
        bound: The pod.
        pod: Its API object with status, for the downward API.
    """
    spec = bound.pod.spec
    logs = _LOGS / "_".join(bound.key)
    logs.mkdir(parents=True, exist_ok=True)
    init, main = (
        [_program(bound, container, pod, logs) for container in part]
        for part in (spec.init_containers, spec.containers)
    )
    return init, main


def _program(bound: BoundPod, container: Container, pod: dict[str, Any], logs: Path) -> Program:
    own = environment(container.env, lambda path: _field(pod, path))
    variables = {"PATH": PATH, "HOSTNAME": host_name(bound), "HOME": "/root", **own}
    argv = resolve(container, Where(bound.pod.source.file))
    return Program(
        container.name,
        container.image,
        None if argv is None else tuple(expand(word, variables) for word in argv),
        variables,
        container.working_dir,
        logs / f"{container.name}.log",
    )


def _field(pod: dict[str, Any], path: str) -> str:
    """A field of the pod, ``status.podIP`` or ``metadata.labels['app']`` (the downward API)."""
    plain, bracket, key = path.partition("['")
    value: Any = pod
    for step in plain.split("."):
        value = value.get(step, {})
    if bracket:
        value = value.get(key.removesuffix("']"), "")
    if isinstance(value, list):  # podIPs, hostIPs
        value = ",".join(item["ip"] for item in value)
    return str(value or "")


def named(programs: list[Program], name: str | None, pod: str) -> Program:
    """The program of the container of that name; the first one without a name.

    Raises:
        InputError: The pod has no such container.
    """
    for program in programs:
        if name in (None, program.name):
            return program
    known = ", ".join(program.name for program in programs)
    raise InputError(f"container {name!r} not found in pod {pod!r}", hint=f"It has: {known}.")
