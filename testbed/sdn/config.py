"""What the controller is told of the fabric: switches, ports, and what is at their other ends.

It is JSON::

    {"listen": ["127.0.0.1", 6653],
     "control": "/run/testbed/sdn/control.sock",
     "ready": "/run/testbed/sdn/ready",
     "switches": {"l1": {"dpid": 1, "ports": {"l1-eth1": ["sp1", "sp1-eth1"],
                                              "l1-eth3": ["n1", null]}}, …}}

A port with a peer's port is on a link between two of these switches; behind any other is a host, or
something that the controller does not run (a Linux bridge, with hosts behind it).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from testbed.sdn.graph import Fabric, Port
from testbed.topology.model import Topology

LISTEN = ("127.0.0.1", 6653)
CONTROL = "/run/testbed/sdn/control.sock"
READY = "/run/testbed/sdn/ready"


def config_of(topology: Topology) -> dict[str, Any]:
    """The controller's configuration for a topology, as JSON values.

    Datapath ids are those of :func:`testbed.sdn.openvswitch.transaction`.
    """
    names = [switch.name for switch in topology.openvswitches]
    ports: dict[str, dict[str, list[str | None]]] = {name: {} for name in names}
    for link in topology.links:
        a, b = (link.a, link.a_interface), (link.b, link.b_interface)
        for (name, port), (peer, peer_port) in ((a, b), (b, a)):
            if name in ports:
                ports[name][port] = [peer, peer_port if peer in ports else None]
    switches = {name: {"dpid": i, "ports": ports[name]} for i, name in enumerate(names, start=1)}
    return {"listen": list(LISTEN), "control": CONTROL, "ready": READY, "switches": switches}


def fabric_of(config: Mapping[str, Any]) -> Fabric:
    """The fabric that a configuration describes.

    Raises:
        KeyError, TypeError, ValueError: It is not of the form above.
    """
    switches = config["switches"]
    ports = {
        Port(name, port): Port(peer, peer_port) if peer_port is not None else peer
        for name, switch in switches.items()
        for port, (peer, peer_port) in switch["ports"].items()
    }
    return Fabric({name: int(switch["dpid"]) for name, switch in switches.items()}, ports)
