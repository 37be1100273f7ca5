"""The switches under an SDN controller: Open vSwitch's daemons, and the controller.

All of it is in the namespace ``fabric``: ovsdb-server with a database of the lab's own,
the controller (:mod:`testbed.sdn`), ovs-vswitchd, and one ovs-vsctl(8) transaction that makes every
switch of the ends of links that Mininet has put there. The lab is up when the controller says that
every switch is connected and programmed.

Open vSwitch forwards in the kernel where there is its datapath, else in ovs-vswitchd itself, which
reads frames from packet sockets. What a host leaves to its network card is then not done by
anybody, so hosts compute checksums and cut segments themselves (``Port.software_checksums``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from testbed.plan.model import PYTHON, Daemon, File, NamespacePlan
from testbed.sdn import config, openvswitch
from testbed.topology.model import Topology

AUTO = "auto"
DATAPATHS = (AUTO, "kernel", "user")
"""Values of ``--set datapath``; ``auto`` is the kernel's where there is one. In a plan that is only
printed, ``auto`` is ``user``, which works everywhere."""

KERNEL_DATAPATH = "openvswitch"
"""The kernel feature of that name in ``testbed doctor``."""

_CONFIG = PurePosixPath(config.READY).with_name("fabric.json")


def plan(topology: Topology, datapath: str) -> NamespacePlan:
    """Files and daemons of the Open vSwitches of a topology; nothing if it has none.

    Args:
        topology: The underlay.
        datapath: One of :data:`DATAPATHS`.
    """
    if not topology.openvswitches:
        return NamespacePlan()
    kind: openvswitch.Datapath = "system" if datapath == "kernel" else "netdev"
    text = _text(config.config_of(topology))
    switches = openvswitch.transaction(topology, kind)
    return NamespacePlan(
        files=(File(str(_CONFIG), text),),
        daemons=(
            _daemon("ovsdb-server", "db.sock", prepare=openvswitch.database()),
            # Before the switches: one that finds no controller tries again after a second.
            Daemon("controller", (PYTHON, "-m", "testbed.sdn", str(_CONFIG)), config.CONTROL),
            _daemon("ovs-vswitchd", "ovs-vswitchd.ctl", configure=switches),
        ),
    )


def _text(values: Mapping[str, Any]) -> str:
    """JSON with a line per switch."""
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in values["switches"].items()]
    head = json.dumps({key: value for key, value in values.items() if key != "switches"})
    return "\n".join([f'{head[:-1]}, "switches": {{', ",\n".join(lines), "}}", ""])


def _daemon(
    name: str, socket: str, *, prepare: Sequence[str] = (), configure: Sequence[str] = ()
) -> Daemon:
    """One of Open vSwitch's, in the foreground; it serves once its socket is there."""
    argv = (word for word in openvswitch.daemons()[name] if word != "--detach")
    ready = str(openvswitch.STATE / socket)
    return Daemon(name, tuple(argv), ready, tuple(prepare), tuple(configure))


def needs(topology: Topology, datapath: str) -> tuple[str, ...]:
    """What else than its daemons a plan needs of the machine: the datapath that was asked for."""
    return (KERNEL_DATAPATH,) * (datapath == "kernel" and bool(topology.openvswitches))


def is_software(topology: Topology, link: int, datapath: str) -> bool:
    """Whether frames of a link pass packet sockets, so that checksums must be in them.

    Args:
        topology: The underlay.
        link: Index of the link.
        datapath: One of :data:`DATAPATHS`.
    """
    return datapath != "kernel" and link in topology.controlled_links
