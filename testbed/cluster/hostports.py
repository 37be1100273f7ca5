"""Ports that pods take of their node: ``hostPort``, which every port of a hostNetwork pod has.

Two pods on one node cannot have the same. Source: ``GetHostPorts`` (``pkg/scheduler/util``),
``HostPortInfo`` (``pkg/scheduler/framework/types.go``) and the plugin ``NodePorts``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from testbed.errors import InputError, Where
from testbed.objects import Pod

_ANY = "0.0.0.0"  # noqa: S104 - as Kubernetes writes it


class HostPort(NamedTuple):
    """A port of a node.

    Attributes:
        protocol: ``TCP``, ``UDP`` or ``SCTP``.
        address: Of the node; ``0.0.0.0`` for all of them.
        port: Its number.
    """

    protocol: str
    address: str
    port: int

    def conflicts(self, other: HostPort) -> bool:
        """Whether not both can be had."""
        same = (self.protocol, self.port) == (other.protocol, other.port)
        return same and (self.address == other.address or _ANY in (self.address, other.address))


def host_ports(pod: Pod) -> set[HostPort]:
    """The ports of its node that a pod takes: those of its containers and sidecars."""
    spec = pod.manifest["spec"]
    sidecars = [c for c in spec.get("initContainers", ()) if c.get("restartPolicy") == "Always"]
    return {
        HostPort(port["protocol"], port.get("hostIP") or _ANY, port["hostPort"])
        for container in (*sidecars, *spec["containers"])
        for port in container.get("ports", ())
        if port.get("hostPort")
    }


def free(wanted: Iterable[HostPort], taken: Iterable[HostPort]) -> bool:
    """Whether none of the ports that are wanted is taken."""
    known = tuple(taken)
    return not any(one.conflicts(other) for one in wanted for other in known)


def refuse_mapped(pod: Pod, where: Where) -> None:
    """Refuses a ``hostPort`` of a pod with a network of its own: nothing here forwards it.

    Args:
        pod: The pod.
        where: The place of its ``spec``.

    Raises:
        InputError: There is one.
    """
    if pod.spec.host_network:
        return
    for field in _mapped(pod.manifest["spec"]):
        raise InputError(
            "hostPort is not served by this lab but for pods with hostNetwork",
            where=replace(where, field=f"{where.field or 'spec'}.{field}"),
            hint="Take a Service with a nodePort, or hostNetwork: true.",
        )


def _mapped(spec: dict[str, Any]) -> Iterator[str]:
    for group in ("initContainers", "containers"):
        for i, container in enumerate(spec.get(group, ())):
            for j, port in enumerate(container.get("ports", ())):
                if port.get("hostPort"):
                    yield f"{group}[{i}].ports[{j}].hostPort"
