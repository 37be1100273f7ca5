"""What the machine must have: kernel features and programs, found by trying.

A feature is never concluded from a version or a configuration file. Kernel features are tried in a
child process with namespaces of its own (:mod:`testbed.lab.probe`), programs are looked for on PATH
and where Debian puts FRR's daemons. The parts themselves declare what they need (``needs`` of a CNI
mode, a scenario, an image, a link's impairment), and :func:`needed_by` reads it there; only what
every lab needs is written here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from testbed.errors import LabError, MissingError, unknown
from testbed.lab.probe import MODULES
from testbed.registry import Registry

PLACES = ("/usr/sbin", "/sbin", "/usr/lib/frr")
"""Folders with programs that a user's PATH may not have."""

TIME_LIMIT = 30.0
"""Seconds after which the child with all probes counts as stuck."""

KERNEL: Mapping[str, tuple[str, str]] = {
    "netns": ("CONFIG_NET_NS", "nodes and pods"),
    "mntns": ("CONFIG_NAMESPACES", "files of a pod's own"),
    "pidns": ("CONFIG_PID_NS", "ending a lab with all that is in it"),
    "utsns": ("CONFIG_UTS_NS", "host names of pods"),
    "ipcns": ("CONFIG_IPC_NS", "the sandbox"),
    "veth": ("CONFIG_VETH", "links between namespaces"),
    "bridge": ("CONFIG_BRIDGE", "switches; cni0"),
    "br_netfilter": ("CONFIG_BRIDGE_NETFILTER", "iptables for traffic within a bridge"),
    "vxlan": ("CONFIG_VXLAN", "VXLAN overlays"),
    "geneve": ("CONFIG_GENEVE", "Geneve overlays"),
    "gre": ("CONFIG_NET_IPGRE", "GRE tunnels"),
    "ipip": ("CONFIG_NET_IPIP", "IP-in-IP tunnels, as Calico's default"),
    "wireguard": ("CONFIG_WIREGUARD", "encrypted tunnels"),
    "dummy": ("CONFIG_DUMMY", "kube-ipvs0, which holds the VIPs of kube-proxy's ipvs mode"),
    "ifb": ("CONFIG_IFB", "shaping of what comes in"),
    "vlan": ("CONFIG_VLAN_8021Q", "VLANs"),
    "macvlan": ("CONFIG_MACVLAN", "the macvlan CNI plugin"),
    "ipvlan": ("CONFIG_IPVLAN", "the ipvlan CNI plugin"),
    "vrf": ("CONFIG_NET_VRF", "routing tables of several tenants"),
    "tbf": ("CONFIG_NET_SCH_TBF", "rate limits of links"),
    "htb": ("CONFIG_NET_SCH_HTB", "rate limits with classes"),
    "netem": ("CONFIG_NET_SCH_NETEM", "delay and loss on links"),
    "conntrack": ("CONFIG_NF_CONNTRACK and CONFIG_NF_CT_NETLINK", "NAT"),
    "ipset": ("CONFIG_IP_SET", "sets of addresses for iptables"),
    "ipvs": ("CONFIG_IP_VS", "kube-proxy's ipvs mode"),
    "openvswitch": ("CONFIG_OPENVSWITCH", "Open vSwitch's kernel datapath"),
    "iptables": ("CONFIG_NF_TABLES and CONFIG_NFT_COMPAT", "masquerading; kube-proxy's rules"),
    "nftables": ("CONFIG_NF_TABLES and CONFIG_NFT_NAT", "rules of kube-proxy's nftables mode"),
    "bpf": ("CONFIG_BPF_SYSCALL", "eBPF dataplanes"),
    "sctp": ("CONFIG_IP_SCTP", "SCTP services"),
}
"""Kernel feature → the option that builds it in, and what it is for."""

TOOLS: Mapping[str, str] = {"iptables": "iptables", "nftables": "nftables"}
"""Kernel feature → the Debian package with the program that tries and uses it."""

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
    "tcpdump": ("tcpdump", "captures"),
    "nginx": ("nginx-light", "the image nginx; Ingress"),
    "busybox": ("busybox-static", "the image busybox"),
    "curl": ("curl", "the image curl"),
    "chromium": ("chromium", "looking at a report without a screen (optional)"),
}
"""Program → the Debian package that has it, and what it is for."""

_NAMESPACES = ("netns", "mntns", "pidns", "utsns", "ipcns")
_MININET = ("mnexec", "ip", "ifconfig", "brctl", "sysctl")
EVERY_LAB = (*_NAMESPACES, "veth", "bridge", *_MININET, "nsenter", "setpriv")
"""What a lab needs whatever runs in it; it belongs to no part."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of this machine.

    Attributes:
        name: Such as ``ipvs`` or ``bgpd``.
        present: Whether it works.
        purpose: What it is for.
        needed_by: The parts that need it, ``CNI mode vxlan``.
        remedy: How to get it, a sentence.
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
    return sorted({*KERNEL, *PROGRAMS})


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
    asked = sorted(set(wanted))
    for name in asked:
        if name not in KERNEL and name not in PROGRAMS:
            raise unknown("feature", name, names())
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
    remedies = dict.fromkeys(f.remedy for f in absent)
    raise MissingError(f"this machine lacks {'; '.join(reasons)}", hint="\n  ".join(remedies))


def load_modules(wanted: Iterable[str]) -> None:
    """Has the kernel load the drivers of features, where they are modules.

    It loads most by itself when a link of their kind is made, but not br_netfilter. A kernel
    without modules has everything built in, or :func:`require` has refused.
    """
    modules = [MODULES[name] for name in wanted if name in MODULES]
    if modules and Path("/proc/modules").exists():
        subprocess.run(["modprobe", "--all", "--quiet", *modules], check=False)


def needed_by() -> dict[str, tuple[str, ...]]:
    """Feature → the parts that declare that they need it."""
    users: dict[str, list[str]] = {}
    for part, needs in _declared():
        for name in needs:
            users.setdefault(name, []).append(part)
    return {name: tuple(parts) for name, parts in users.items()}


def _declared() -> Iterator[tuple[str, tuple[str, ...]]]:
    from testbed.images.catalogue import IMAGES
    from testbed.plan.impairment import Impairment
    from testbed.topology.limits import Limits

    yield "every lab", EVERY_LAB
    yield "link rate", (*Impairment("", 1500, Limits(rate=1.0)).needs, "tc")
    yield "link delay and loss", (*Impairment("", 1500, Limits(delay=1.0)).needs, "tc")
    for kind, package, attribute in (
        ("CNI mode", "cni_modes", "mode"),
        ("scenario", "scenarios", "scenario"),
    ):
        registry: Registry[object] = Registry(kind, package, attribute)
        for name in registry.names():
            yield f"{kind} {name}", tuple(getattr(registry.get(name), "needs", ()))
    for name, image in IMAGES.items():
        yield f"image {name}", image.needs


def _try(kernel: list[str]) -> dict[str, str | None]:
    """Kernel features → why each is absent, or None."""
    if not kernel:
        return {}
    argv = [sys.executable, "-m", "testbed.lab.probe", *kernel]
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
    if name in KERNEL:
        option, purpose = KERNEL[name]
        remedy = f"Boot a kernel with {option}."
        if name in TOOLS:
            remedy = f"Install the Debian package {TOOLS[name]}. {remedy}"
        return Feature(name, tried[name] is None, purpose, users, remedy, tried[name] or "")
    package, purpose = PROGRAMS[name]
    path = program(name)
    remedy = f"Install the Debian package {package}: apt-get install {package}"
    return Feature(name, path is not None, purpose, users, remedy, path or "not found on PATH")
