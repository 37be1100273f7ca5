"""How Open vSwitch is started and configured inside a sandbox, as commands.

In this order, all with :data:`ENVIRONMENT` added to the environment:

1. :func:`database` makes the empty database (there must be none yet);
2. each command of :func:`daemons`: it goes into the background, and has returned when the daemon
   serves, so the next can be run at once;
3. :func:`transaction`, one call of ovs-vsctl(8), makes every bridge; it returns when the bridges
   forward. The switches' ends of the links are in the daemons' network namespace before.

Nothing is read from or written to ``/etc/openvswitch`` or ``/var``: database, sockets and PID files
are in the folder :data:`STATE`. The daemons end with the sandbox.

The userspace datapath (``netdev``) reads and writes frames through packet sockets. What a host left
to its network card to do is then not done: TCP segments would arrive with wrong checksums. So the
hosts' ends of such links must have checksums switched off (``ethtool -K DEVICE tx off``; without
them, the kernel does without segmentation offload by itself). ``docs/sdn.md`` has the figures.

Sources: ovsdb-server(1), ovs-vswitchd(8), ovs-vswitchd.conf.db(5) of Open vSwitch 3.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from testbed.topology.model import Topology

Datapath = Literal["system", "netdev"]
"""``system`` is the kernel's, ``netdev`` the userspace datapath."""

STATE = Path("/run/openvswitch")
"""The folder of database and sockets, where Open vSwitch's programs look for them; it must exist
before the daemons start."""

ENVIRONMENT: Mapping[str, str] = {
    "OVS_RUNDIR": str(STATE),
    "OVS_DBDIR": str(STATE),
    "OVS_LOGDIR": str(STATE),
    "OVS_SYSCONFDIR": str(STATE),
}
"""Where Open vSwitch's programs look for each other; ``ovs-vsctl show`` needs only this."""

PROGRAMS = ("ovsdb-tool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl")
"""What must be installed; Debian's package is ``openvswitch-switch``."""

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
CONTROLLER = "tcp:127.0.0.1:6653"

PROTOCOLS = ("OpenFlow10", "OpenFlow13", "OpenFlow15")
"""The controller speaks 1.5, which alone lets it choose how a group's buckets are selected; 1.0 is
what ``ovs-ofctl`` speaks unless told otherwise."""

PROBE = 5000
"""Milliseconds of silence after which a switch asks whether its controller is alive."""

BACKOFF = 1000
"""Milliseconds between a switch's attempts to reach its controller; the least that is allowed."""

PACKET_INS = 1000
"""Packets a second that a switch sends to its controller at most, shared fairly by its ports."""

_DATABASE = STATE / "conf.db"
_SOCKET = STATE / "db.sock"


def database() -> list[str]:
    """The command that makes the empty database."""
    return ["ovsdb-tool", "create", str(_DATABASE), SCHEMA]


def daemons() -> dict[str, list[str]]:
    """The daemons' commands by their names, in the order in which they start.

    Each returns when the daemon has begun to serve, and has then left a PID file in :data:`STATE`.
    """
    remotes = [f"--remote=punix:{_SOCKET}"]
    return {
        "ovsdb-server": ["ovsdb-server", str(_DATABASE), *remotes, *_options("ovsdb-server")],
        "ovs-vswitchd": ["ovs-vswitchd", f"unix:{_SOCKET}", *_options("ovs-vswitchd")],
    }


def _options(name: str) -> Iterator[str]:
    """What both daemons are told; warnings go to their log files, nothing to syslog."""
    yield from ("--detach", "--no-chdir", f"--pidfile={STATE / name}.pid")
    yield f"--unixctl={STATE / name}.ctl"
    yield from (f"--log-file={STATE / name}.log", "-vconsole:off", "-vsyslog:off")


def transaction(topology: Topology, datapath: Datapath, controller: str = CONTROLLER) -> list[str]:
    """The one command that makes every Open vSwitch of a topology.

    A switch's datapath id is its place among them, from 1; a port's number is its place among the
    switch's links, from 1. A switch drops what it has no rule for and keeps its rules when it
    loses its controller (``fail_mode=secure``).

    Args:
        topology: Its switches of kind ``openvswitch`` are made.
        datapath: Which datapath.
        controller: Where the controller listens, ``tcp:ADDRESS:PORT``.
    """
    argv = ["ovs-vsctl", f"--db=unix:{_SOCKET}", "--no-syslog"]
    for number, switch in enumerate(topology.openvswitches, start=1):
        argv += _bridge(switch.name, number, datapath, controller)
        for port, interface in enumerate(interfaces(topology, switch.name), start=1):
            argv += ["--", "--may-exist", "add-port", switch.name, interface]
            argv += ["--", "set", "interface", interface, f"ofport_request={port}"]
    return argv


def interfaces(topology: Topology, switch: str) -> list[str]:
    """The names of a switch's ends of links, in the order of the links."""
    found = []
    for link in topology.links:
        found += [link.a_interface] if link.a == switch else []
        found += [link.b_interface] if link.b == switch else []
    return found


def _bridge(name: str, number: int, datapath: Datapath, controller: str) -> Iterator[str]:
    yield from ("--", "--may-exist", "add-br", name)
    yield from ("--", "set", "bridge", name)
    yield from (f"datapath_type={datapath}", "fail_mode=secure", "mcast_snooping_enable=false")
    yield f"protocols={','.join(PROTOCOLS)}"
    yield from (f"other_config:datapath-id={number:016x}", "other_config:disable-in-band=true")
    yield from ("--", "set-controller", name, controller)
    yield from ("--", "set", "controller", name, "connection_mode=out-of-band")
    yield from (f"inactivity_probe={PROBE}", f"max_backoff={BACKOFF}")
    yield from (f"controller_rate_limit={PACKET_INS}", f"controller_burst_limit={PACKET_INS // 4}")
