"""What the machine must have: kernel features and programs, found by trying.

A feature is never concluded from a version or a configuration file. Kernel features
(:mod:`testbed.doctor.kernel`) are tried in a child process with namespaces of its own
(:mod:`testbed.doctor.probe`), programs are looked for on PATH and where Debian puts FRR's daemons.
The parts themselves declare what they need (:mod:`testbed.doctor.needs`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from testbed.doctor.kernel import KERNEL
from testbed.doctor.needs import needed_by
from testbed.doctor.probe import IN_VM
from testbed.errors import LabError, MissingError, unknown
from testbed.go import components
from testbed.go.build import REMEDY
from testbed.go.components import PURPOSES

PLACES = ("/usr/sbin", "/sbin", "/usr/lib/frr")
"""Folders with programs that a user's PATH may not have."""

TIME_LIMIT = 180.0
"""Seconds after which the child with all probes counts as stuck; in software emulation, with
modules to load, it takes a good part of them."""

PROGRAMS: Mapping[str, tuple[str, str]] = {
    "ip": ("iproute2", "looking at a lab"),
    "tc": ("iproute2", "limits of links"),
    "mnexec": ("mininet", "starting Mininet hosts"),
    "ifconfig": ("net-tools", "Mininet's addresses"),
    "brctl": ("bridge-utils", "Mininet's Linux bridges"),
    "sysctl": ("procps", "forwarding"),
    "ping": ("iputils-ping", "checks of reachability"),
    "iptables-restore": ("iptables", "loading iptables rules"),
    "nft": ("nftables", "loading nftables rules"),
    "nsenter": ("util-linux", "joining namespaces"),
    "setpriv": ("util-linux", "ending what a command started with the command"),
    "zebra": ("frr", "FRR's routes into the kernel"),
    "bgpd": ("frr", "BGP"),
    "bfdd": ("frr", "BFD: noticing a dead neighbour fast"),
    "vtysh": ("frr", "FRR's shell"),
    "ovsdb-server": ("openvswitch-switch", "what Open vSwitches are to be"),
    "ovs-vswitchd": ("openvswitch-switch", "the switches of the SDN underlay"),
    "iperf3": ("iperf3", "throughput"),
    "sockperf": ("sockperf", "latency"),
    "dnsperf": ("dnsperf", "questions to cluster DNS"),
    "h2load": ("nghttp2-client", "HTTP requests"),
    "openssl": ("openssl", "signatures per second, beside TLS handshakes"),
    "tcpdump": ("tcpdump", "captures"),
    "nginx": ("nginx-light", "the image nginx; Ingress"),
    "haproxy": ("haproxy", "Ingress"),
    "busybox": ("busybox-static", "the image busybox"),
    "curl": ("curl", "the image curl"),
    "chromium": ("chromium", "looking at a report without a screen (optional)"),
}
"""Program → the Debian package that has it, and what it is for."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of this machine.

    Attributes:
        name: Such as ``ipvs`` or ``bgpd``.
        present: Whether it works.
        purpose: What it is for.
        needed_by: The parts that need it, ``CNI mode vxlan``.
        remedy: How to get it, in sentences.
        detail: Where it is, for a program; the kernel's words, for an absent kernel feature.
    """

    name: str
    present: bool
    purpose: str
    needed_by: tuple[str, ...]
    remedy: str
    detail: str


def names() -> list[str]:
    """The names of all features, sorted."""
    return sorted({*KERNEL, *PROGRAMS, *PURPOSES})


def probe(wanted: Iterable[str] | None = None) -> dict[str, Feature]:
    """Tries features on this machine, the kernel's all in one child process.

    Args:
        wanted: Their names; None for all.

    Returns:
        Name → feature, sorted by name.

    Raises:
        InputError: A name is no feature.
        LabError: The child failed.
    """
    return _probe(names() if wanted is None else wanted, needed_by())


def _probe(wanted: Iterable[str], users: Mapping[str, tuple[str, ...]]) -> dict[str, Feature]:
    asked, known = sorted(set(wanted)), names()
    for name in asked:
        if name not in known:
            raise unknown("feature", name, known)
    tried = _try([name for name in asked if name in KERNEL])
    return {name: _feature(name, tried, users.get(name, ())) for name in asked}


def require(wanted: Iterable[str]) -> None:
    """Refuses to go on without features.

    Args:
        wanted: Their names.

    Raises:
        InputError: A name is no feature.
        MissingError: At least one is absent; the message has each with its remedy.
    """
    absent = [feature for feature in _probe(wanted, {}).values() if not feature.present]
    if not absent:
        return
    reasons = [f"{f.name} ({f.purpose})" + (f": {f.detail}" if f.detail else "") for f in absent]
    hint = "\n  ".join(remedies([feature.name for feature in absent]))
    raise MissingError(f"this machine lacks {'; '.join(reasons)}", hint=hint)


def remedies(absent: Iterable[str]) -> list[str]:
    """How to get features: a line each for programs, components, and what the kernel lacks."""
    wanted = list(absent)
    built = PURPOSES.keys() & set(wanted)
    programs, kernel = split(name for name in wanted if name not in built)
    packages = " ".join(dict.fromkeys(PROGRAMS[name][0] for name in programs))
    found = [f"Install what Debian has: apt-get install {packages}"] if packages else []
    found += [REMEDY] if built else []
    if not kernel:
        return found
    options = " and ".join(dict.fromkeys(KERNEL[name].option for name in kernel))
    since = max(KERNEL[name].since for name in kernel)
    boot = f"Boot a kernel with {options}" + (f" (Linux {since})" if since else "")
    in_vm = not since and IN_VM not in os.environ
    return [*found, f"{boot}{', or run it in one: testbed vm -- testbed …' if in_vm else '.'}"]


def split(absent: Iterable[str]) -> tuple[list[str], list[str]]:
    """Programs, and features of the kernel as far as it is the kernel that lacks them.

    Nothing can be told of a kernel feature whose tool is not there.
    """
    programs, kernel = [], []
    for name in absent:
        tool = KERNEL[name].tool if name in KERNEL else name
        if name in PROGRAMS or (tool and program(tool) is None):
            programs.append(tool)
        else:
            kernel.append(name)
    return programs, kernel


def load_modules(wanted: Iterable[str]) -> None:
    """Has the kernel load the drivers of features, where they are modules.

    It loads most by itself when a link of their kind is made, but not br_netfilter. A kernel
    without modules has everything built in, or :func:`require` has refused.
    """
    modules = [KERNEL[name].module for name in wanted if name in KERNEL and KERNEL[name].module]
    if modules and Path("/proc/modules").exists():
        subprocess.run(["modprobe", "--all", "--quiet", *modules], check=False)


def _try(kernel: list[str]) -> dict[str, str | None]:
    """Kernel features → why each is absent, or None."""
    if not kernel:
        return {}
    argv = [sys.executable, "-m", "testbed.doctor.probe", *kernel]
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *PLACES))
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=TIME_LIMIT, check=False, env=environment
    )
    if done.returncode:
        raise LabError(f"the probes of the kernel failed: {done.stderr.strip()}")
    found: dict[str, str | None] = json.loads(done.stdout)
    return found


def program(name: str) -> str | None:
    """The path of a program, on PATH or where Debian puts what is not meant for users."""
    return which(name) or which(name, path=os.pathsep.join(PLACES))


def _feature(name: str, tried: Mapping[str, str | None], users: tuple[str, ...]) -> Feature:
    remedy = " ".join(remedies([name]))
    if name in KERNEL:
        why = tried[name]
        return Feature(name, why is None, KERNEL[name].purpose, users, remedy, why or "")
    if name in PURPOSES:
        absent = components.missing(name)
        detail = absent or components.detail(name)
        return Feature(name, absent is None, PURPOSES[name], users, remedy, detail)
    path = program(name)
    detail = path or "not found on PATH"
    return Feature(name, path is not None, PROGRAMS[name][1], users, remedy, detail)
