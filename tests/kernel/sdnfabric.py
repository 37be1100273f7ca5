"""A fabric of real Open vSwitches under the real controller, in namespaces that end with the test.

The topology ``sdn``: leaves l1, l2 and b1 on each of the spines sp1 and sp2, two nodes a leaf, one
client. Hosts are named namespaces. ``/run`` is the fabric's own, so that paths are as in a lab.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from testbed.doctor import features
from testbed.errors import MissingError
from testbed.plan import sdn
from testbed.sdn import openvswitch
from testbed.sdn.config import CONTROL, READY, config_of
from testbed.topology.load import load

ROOT = Path(__file__).parents[2]
PROBE = Path(__file__).with_name("sdnprobe.py")

_SET_UP = """
set -e
mount -t tmpfs tmpfs /run
mount -t sysfs sysfs /sys
mkdir -p /run/netns "$1" "$2"
ip link set lo up
echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6  # nothing is sent but what a test sends
echo made
exec env --ignore-signal=CHLD sleep infinity
"""
_OFFLOAD = "import sys; from testbed.kernel import offload; offload.software_checksums(sys.argv[1])"


def until(condition: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """The first true value of ``condition``; fails when there is none in time."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.01)
    return value


class SdnFabric:
    """The running fabric.

    Args:
        datapath: Which datapath its switches forward in.

    Attributes:
        topology: What it is.
        macs: Host → MAC address.
        controller: The controller's process.
    """

    def __init__(self, datapath: openvswitch.Datapath) -> None:
        self.topology = load("sdn", {})
        folders = (str(openvswitch.STATE), str(Path(CONTROL).parent))
        argv = ["unshare", "--net", "--mount", "--pid", "--ipc", "--uts", "--fork"]
        argv += ["--kill-child", "--mount-proc", "sh", "-c", _SET_UP, "sh", *folders]
        self._outside = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *argv], stdout=subprocess.PIPE, text=True
        )
        try:
            assert self._outside.stdout is not None
            assert self._outside.stdout.readline() == "made\n"
            task = Path(f"/proc/{self._outside.pid}/task/{self._outside.pid}/children")
            self._init = task.read_text().split()[0]
            self._root = Path(f"/proc/{self._init}/root")
            self._links()
            for command in (openvswitch.database(), *openvswitch.daemons().values()):
                self.run(*command)
            self.run(*openvswitch.transaction(self.topology, datapath))
            self._write_config()
            self.start_controller()
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Ends it with all that runs in it."""
        self._outside.kill()
        self._outside.wait()

    # Commands

    def command(self, *argv: str) -> list[str]:
        """The command line that runs ARGV in here."""
        namespaces = ("--net", "--mount", "--pid", "--ipc", "--uts")
        return ["nsenter", "-t", self._init, *namespaces, "--", *argv]

    def at(self, host: str, *argv: str) -> list[str]:
        """The command line that runs ARGV on a host."""
        return self.command("ip", "netns", "exec", host, *argv)

    def start(self, *argv: str) -> subprocess.Popen[str]:
        """Starts a command line with its input and output in pipes."""
        pipe = subprocess.PIPE
        return subprocess.Popen(argv, text=True, stdin=pipe, stdout=pipe, env=_environment())

    def run(self, *argv: str) -> str:
        """What a command prints that must succeed in here."""
        return self.say(self.command(*argv))

    def say(self, argv: list[str]) -> str:
        """What a command line prints that must succeed."""
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=30, check=False, env=_environment()
        )
        assert done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def probe(self, host: str, *argv: str) -> subprocess.Popen[str]:
        """Starts a part of ``sdnprobe.py`` on a host; it has said that it is ready."""
        started = self.start(*self.at(host, sys.executable, str(PROBE), *argv))
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        return started

    # Parts

    def _links(self) -> None:
        lines = [
            f"link add {link.a_interface} type veth peer name {link.b_interface}"
            for link in self.topology.links
        ]
        for switch in self.topology.openvswitches:
            names = openvswitch.interfaces(self.topology, switch.name)
            lines += [f"link set {name} up" for name in names]
        for host in self.topology.hosts:
            device = host.primary.name
            self.run("ip", "netns", "add", host.name)
            lines += [f"link set {device} netns {host.name}"]
        self._batch(lines)
        for host in self.topology.hosts:
            device = host.primary.name
            self.run("ip", "-n", host.name, "addr", "add", str(host.primary.address), "dev", device)
            self.run("ip", "-n", host.name, "link", "set", device, "up")
            self.say(self.at(host.name, sys.executable, "-c", _OFFLOAD, device))
        self.macs = {h.name: self._mac(h.name, h.primary.name) for h in self.topology.hosts}

    def _mac(self, host: str, device: str) -> str:
        (shown,) = json.loads(self.run("ip", "-j", "-n", host, "link", "show", device))
        return str(shown["address"])

    def _batch(self, lines: list[str]) -> None:
        subprocess.run(
            self.command("ip", "-batch", "-"), input="\n".join(lines), text=True, check=True
        )

    def _write_config(self) -> None:
        path = self._root / READY.lstrip("/")
        path.with_name("fabric.json").write_text(json.dumps(config_of(self.topology)))

    def start_controller(self) -> None:
        """Starts the controller, and returns when the fabric is programmed."""
        ready = self._root / READY.lstrip("/")
        ready.unlink(missing_ok=True)
        config = str(Path(READY).with_name("fabric.json"))
        self.controller = subprocess.Popen(
            self.command(sys.executable, "-m", "testbed.sdn", config), env=_environment()
        )
        until(ready.exists, "the fabric is programmed", 120)

    def kill_controller(self) -> None:
        """Ends it as a crash would."""
        self.controller.kill()
        self.controller.wait()
        children = self.run("pgrep", "-f", "^[^ ]*python[^ ]* -m testbed.sdn").split()
        for pid in children:  # in a PID namespace of the fabric's own
            self.run("kill", "-KILL", pid)
        until(lambda: "testbed.sdn" not in self.run("ps", "-eo", "args"), "it is gone")

    # The controller, and the switches

    def ask(self, **question: Any) -> Any:
        """The controller's answer; its socket is reached through the fabric's root folder."""
        path = f"/proc/{self._init}/root{CONTROL}"
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(90)
            connection.connect(path)
            connection.sendall(json.dumps(question).encode() + b"\n")
            with connection.makefile() as lines:
                return json.loads(lines.readline())

    def settle(self) -> dict[str, Any]:
        """The controller's state once it is settled."""
        state: dict[str, Any] = self.ask(verb="settle", seconds=60)
        assert state["settled"], state
        return state

    def counters(self) -> Mapping[str, Mapping[str, Any]]:
        """Port → its counters, by the controller."""
        return {row["port"]: row for row in self.ask(verb="ports")["ports"]}

    def rules(self) -> dict[str, list[str]]:
        """Switch → its flows and groups, as Open vSwitch prints them, sorted."""
        found = {}
        for switch in self.topology.openvswitches:
            address = f"unix:{openvswitch.STATE}/{switch.name}.mgmt"
            flows = self.run("ovs-ofctl", "-OOpenFlow15", "--no-stats", "dump-flows", address)
            groups = self.run("ovs-ofctl", "-OOpenFlow15", "dump-groups", address)
            lines = [line for line in (flows + groups).splitlines() if "reply" not in line]
            found[switch.name] = sorted(line.strip() for line in lines)
        return found

    def told(self) -> int:
        """How many frames the switches' rules have shown to the controller."""
        number = 0
        for switch in self.topology.openvswitches:
            address = f"unix:{openvswitch.STATE}/{switch.name}.mgmt"
            for line in self.run("ovs-ofctl", "-OOpenFlow15", "dump-flows", address).splitlines():
                if "CONTROLLER" in line:
                    number += int(line.partition("n_packets=")[2].partition(",")[0])
        return number

    def starved(self) -> int:
        """How many frames the switches' sockets have dropped, for want of processor time."""
        return sum(map(int, re.findall(r",d(\d+)\)", self.run("ss", "-0", "-m"))))

    def set_link(self, port: str, state: str) -> None:
        """Switches a switch's port ``up`` or ``down``."""
        self.run("ip", "link", "set", port, state)


def _environment() -> dict[str, str]:
    return {**os.environ, **openvswitch.ENVIRONMENT, "PYTHONPATH": str(ROOT)}


@contextmanager
def sdn_fabric(datapath: openvswitch.Datapath) -> Iterator[SdnFabric]:
    """A fabric for the time of a ``with`` block; skips the test where it cannot be made."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if datapath == "system":
        try:
            features.require((sdn.KERNEL_DATAPATH,))
        except MissingError as error:
            pytest.skip(str(error))
    made = SdnFabric(datapath)
    try:
        yield made
    finally:
        made.end()
