"""Where and with what a campaign was measured: ``environment.json``."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from testbed.doctor.features import program
from testbed.lab import datapath
from testbed.measure.affinity import processors
from testbed.spec import Spec

ROOT = Path(__file__).resolve().parents[2]

_VERSIONS = {
    "iperf3": ["--version"],
    "sockperf": ["--version"],
    "ip": ["-V"],
    "iptables-restore": ["--version"],
    "bgpd": ["--version"],
}
_PACKAGES = ("mininet", "pyroute2", "pandas", "scipy", "matplotlib")


def environment(specs: Sequence[Spec]) -> dict[str, Any]:
    """The machine, the versions of what measures, and the topologies.

    Args:
        specs: The labs of the campaign.
    """
    return {
        "testbed": {"version": metadata.version("k8s-net-testbed"), "commit": _commit()},
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpu": _cpu_model(Path("/proc/cpuinfo").read_text()),
        "vm": hypervisor(),
        "cores": os.cpu_count(),
        "processors": processors(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "tcp_congestion_control": _sysctl("net/ipv4/tcp_congestion_control"),
        "python": platform.python_version(),
        "tools": {name: _version(name, argv) for name, argv in _VERSIONS.items()},
        "packages": {name: metadata.version(name) for name in _PACKAGES},
        # The first of a topology counts: further ones differ in their impairment.
        "topologies": {spec.topology.name: topology(spec) for spec in reversed(specs)},
    }


def hypervisor() -> str | None:
    """What this machine is a guest of, as systemd-detect-virt(1) calls it; None for nothing.

    ``qemu`` is QEMU that emulates the CPU, ``kvm`` QEMU that does not.
    """
    path = program("systemd-detect-virt")
    if path is None:
        return None
    done = subprocess.run([path, "--vm"], capture_output=True, text=True, check=False, timeout=10)
    return done.stdout.strip() if done.returncode == 0 else None


def topology(spec: Spec) -> dict[str, Any]:
    """A topology as the report draws it: ``nodes`` (with ``pod_cidr``) and ``links``.

    With Open vSwitches it has their ``datapath``, too.
    """
    shares = {node.name: node.pod_cidr for node in spec.cluster.nodes}
    form = spec.topology.to_dict()
    nodes = [{**node, "pod_cidr": shares.get(node["name"])} for node in form["nodes"]]
    found = {"nodes": nodes, "links": form["links"]}
    if spec.topology.openvswitches:
        found["datapath"] = datapath.choose(spec).cluster.options.datapath
    return found


def _cpu_model(text: str) -> str:
    found = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor() or "unknown"


def _sysctl(key: str) -> str:
    path = Path("/proc/sys", key)
    return path.read_text().strip() if path.exists() else ""


def _version(name: str, argv: list[str]) -> str | None:
    """The first line that a program prints about itself; None if it is not there."""
    path = program(name)
    if path is None:
        return None
    done = subprocess.run([path, *argv], capture_output=True, text=True, check=False, timeout=10)
    return (done.stdout + done.stderr).strip().split("\n", 1)[0]


def _commit() -> str | None:
    """The commit that runs, with ``+changes`` if the working tree differs; None without git."""
    if not (ROOT / ".git").exists() or program("git") is None:
        return None
    git = [
        "git",
        "-C",
        str(ROOT),
        "describe",
        "--always",
        "--exclude=*",
        "--abbrev=40",
        "--dirty=+changes",
    ]
    done = subprocess.run(git, capture_output=True, text=True, check=False, timeout=10)
    return done.stdout.strip() or None
