"""What ``testbed plan -o shell`` prints, typed into a shell on bare namespaces, is a network."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from machine import Machine, until

pytestmark = pytest.mark.e2e

PODS = """
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {nodeName: NODE-A, containers: [{name: c, image: pause}]}
---
apiVersion: v1
kind: Pod
metadata: {name: b}
spec: {nodeName: NODE-B, containers: [{name: c, image: pause}]}
---
apiVersion: v1
kind: Pod
metadata: {name: beside}
spec: {nodeName: NODE-A, containers: [{name: c, image: pause}]}
"""


@pytest.mark.parametrize(
    "options",
    [
        ("--cni", "vxlan"),
        ("--cni", "host-gw"),
        ("--cni", "bgp"),
        ("--cni", "bgp", "-t", "leafspine", "--set", "nodes=1"),
        ("--cni", "vxlan", "-t", "twozone"),
        ("--cni", "vxlan", "-t", "sdn", "--set", "nodes=1"),
    ],
    ids="".join,
)
def test_pods_reach_each_other(machine: Machine, options: tuple[str, ...]) -> None:
    empty = machine.testbed("plan", *options).stdout
    first, *_, last = [
        line.strip(" :").removeprefix("node/")
        for line in empty.splitlines()
        if line.startswith("  node/")
    ]
    manifest = PODS.replace("NODE-A", first).replace("NODE-B", last)
    shell = ("plan", *options, "-f", "-", "-o", "shell")
    script = machine.testbed(*shell, text=manifest).stdout
    machine.run("mkdir", "-p", "/etc/netns", code=None)
    machine.run("mount", "-t", "tmpfs", "tmpfs", "/etc/netns")
    machine.write("plan.sh", script)
    # To a file: daemons that stay in the background hold the output open.
    run = "timeout 300 sh -e plan.sh >out 2>&1 </dev/null || { cat out; exit 1; }"
    folder = Path(sys.executable).parent  # the controller of switches is `python3 -m testbed.sdn`
    machine.run("sh", "-c", run, env={"PATH": f"{folder}:{os.environ['PATH']}"})
    lines = (machine.root / "mnt/out").read_text().splitlines()
    said = [line for line in lines if not re.match(r"\d{4}/\d\d/\d\d ", line)]  # a daemon's log
    assert not re.search("error|fail|cannot", "\n".join(said), re.IGNORECASE)
    for source, target in (("a", "b"), ("b", "a"), ("a", "beside")):
        _ping(machine, source, target)


def _ping(machine: Machine, source: str, target: str) -> None:
    """Pings until an answer comes: routing daemons take their time."""
    show = ("ip", "-n", f"default.{target}", "-4", "-o", "address", "show", "dev", "eth0")
    address = machine.run(*show).stdout.split()[3].partition("/")[0]
    ping = ("ip", "netns", "exec", f"default.{source}", "ping", "-c1", "-W1", address)
    until(lambda: machine.run(*ping, code=None).returncode == 0, f"{source} pings {target}")
