"""The fabric: Mininet's hosts, switches and links, as the topology has them.

Mininet makes them and nothing more; addresses, MTUs, routes and daemons are the plan's. Of an Open
vSwitch it makes the ends of its links: the switch itself is in the plan too, with its daemons.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mininet.link import Link
from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.node import Switch
from mininet.nodelib import LinuxBridge
from mininet.topo import Topo

from testbed.topology.model import SwitchKind, Topology

PrivateFolders = Sequence[tuple[str, str]]
"""Pairs of a folder and where it really is, for one host."""


@dataclass(frozen=True, slots=True)
class FabricHost:
    """A running Mininet host.

    Attributes:
        pid: Of its shell, whose namespaces are the host's.
        net: Descriptor of its network namespace.
        mount: Descriptor of its mount namespace.
    """

    pid: int
    net: int
    mount: int


class _Ports(Switch):  # type: ignore[misc]
    """The ends of links that the plan's daemons will make a switch of."""

    def start(self, controllers: Sequence[object]) -> None:
        """Nothing: the daemons come later."""

    def stop(self, deleteIntfs: bool = True) -> None:  # noqa: N803 - Mininet's own name
        """Nothing: the kernel takes everything with the sandbox."""


_SWITCHES: Mapping[SwitchKind, type[Any]] = {"bridge": LinuxBridge, "openvswitch": _Ports}


class _FabricTopo(Topo):  # type: ignore[misc]
    """The topology as Mininet wants it told."""

    def build(self, topology: Topology, private: Mapping[str, PrivateFolders]) -> None:
        for host in topology.hosts:
            self.addHost(host.name, ip=None, privateDirs=list(private.get(host.name, ())))
        for number, switch in enumerate(topology.switches, start=1):
            self.addSwitch(switch.name, cls=_SWITCHES[switch.kind], dpid=f"{number:016x}")
        for link in topology.links:
            names = {"intfName1": link.a_interface, "intfName2": link.b_interface}
            self.addLink(link.a, link.b, **names)


class Fabric:
    """The running Mininet of a lab.

    Args:
        topology: What to build.
        private: Host name → folders that are its own.

    Attributes:
        switches: The names of its switches.
        hosts: Its hosts by name.
    """

    def __init__(self, topology: Topology, private: Mapping[str, PrivateFolders]) -> None:
        setLogLevel("warning")
        # Mininet.init raises limits of the whole machine (kernel.pty.max, fs.file-max …).
        Mininet.inited = True
        _plain_bridges()
        self._net: Any = Mininet(
            topo=_FabricTopo(topology, private),
            link=Link,
            controller=None,
            autoStaticArp=False,
            waitConnected=False,
        )
        self._net.start()
        self.switches = frozenset(switch.name for switch in topology.switches)
        self.hosts = {host.name: self._host(host.name) for host in topology.hosts}

    def _host(self, name: str) -> FabricHost:
        pid = self._net.get(name).pid
        net, mount = (os.open(f"/proc/{pid}/ns/{k}", os.O_RDONLY | os.O_CLOEXEC) for k in _KINDS)
        return FabricHost(pid, net, mount)


_KINDS = ("net", "mnt")


def _plain_bridges() -> None:
    """Keeps netfilter out of the switches: a frame that they forward is not the host's packet.

    The parameters are the namespace's own, and there only where br_netfilter is loaded; new
    namespaces have them on.
    """
    for parameter in Path("/proc/sys/net/bridge").glob("bridge-nf-call-*"):
        parameter.write_text("0")
