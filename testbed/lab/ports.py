"""What the ends of the fabric's links have counted: where the traffic of a lab goes."""

from __future__ import annotations

from typing import Any

from testbed.kernel.executor import Executor
from testbed.lab import controller
from testbed.plan.model import FABRIC
from testbed.topology.model import Topology


def ports(topology: Topology, executor: Executor) -> list[dict[str, Any]]:
    """The counters of both ends of every link, as JSON values.

    Those of Open vSwitches are what the switches told their controller (OpenFlow's port
    statistics), the others the kernel's.

    Returns:
        One mapping per end: ``a``, the host or switch; its ``interface``; ``peer``, what is at the
        other end; and the counters of :class:`testbed.kernel.counters.Counters`.
    """
    spaces = {host.name: f"{host.role}/{host.name}" for host in topology.hosts}
    ends = [
        (spaces.get(here, FABRIC), here, interface, peer)
        for link in topology.links
        for here, interface, peer in (
            (link.a, link.a_interface, link.b),
            (link.b, link.b_interface, link.a),
        )
    ]
    devices: dict[str, list[str]] = {}
    for space, _, interface, _ in ends:
        devices.setdefault(space, []).append(interface)
    found = executor.counters(devices)
    if topology.openvswitches:
        found |= {(FABRIC, port): said for (_, port), said in controller.ports().items()}
    return [
        {"a": here, "interface": interface, "peer": peer, **found[space, interface]._asdict()}
        for space, here, interface, peer in ends
    ]
