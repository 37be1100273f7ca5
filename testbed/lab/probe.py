"""The child process in which ``testbed doctor`` tries what the kernel can do.

It gives itself network and mount namespaces of its own (and, without root, a user namespace), tries
each feature there, prints ``{name: reason of absence or null}`` as JSON, and ends; the kernel then
frees everything. ``/run`` is a tmpfs of its own meanwhile, because iptables takes a lock there.

One thing is not tried: a driver that the kernel would first have to load as a module. Loading is
nothing of a namespace (``ipip`` puts a ``tunl0`` into the host's own, ``br_netfilter`` changes how
the host's bridges filter), so such a feature counts as present if modprobe's dry run finds it.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from testbed.lab import syscalls

CLONE_NEWUSER = 0x10000000

NAMESPACES: Mapping[str, int] = {
    "netns": syscalls.CLONE_NEWNET,
    "mntns": syscalls.CLONE_NEWNS,
    "pidns": syscalls.CLONE_NEWPID,
    "utsns": syscalls.CLONE_NEWUTS,
    "ipcns": syscalls.CLONE_NEWIPC,
}

MODULES: Mapping[str, str] = {
    "veth": "veth",
    "bridge": "bridge",
    "br_netfilter": "br_netfilter",
    "vxlan": "vxlan",
    "geneve": "geneve",
    "gre": "ip_gre",
    "ipip": "ipip",
    "wireguard": "wireguard",
    "dummy": "dummy",
    "ifb": "ifb",
    "macvlan": "macvlan",
    "ipvlan": "ipvlan",
    "vlan": "8021q",
    "vrf": "vrf",
    "tbf": "sch_tbf",
    "htb": "sch_htb",
    "netem": "sch_netem",
    "conntrack": "nf_conntrack",
    "ipset": "ip_set",
    "ipvs": "ip_vs",
    "openvswitch": "openvswitch",
    "sctp": "sctp",
}
"""Feature → the module that has it where it is not built in."""

_IPTABLES = b"""*nat
:PROBE - [0:0]
-A PROBE -p tcp -m comment --comment probe -m statistic --mode random --probability 0.5 \
-j DNAT --to-destination 192.0.2.1:80
-A POSTROUTING -s 192.0.2.0/24 -j MASQUERADE
COMMIT
*filter
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
"""
_NFTABLES = b"""table ip probe {
 map m { type ipv4_addr . inet_service : verdict; }
 chain nat { type nat hook prerouting priority dstnat; ip daddr . tcp dport vmap @m; }
 chain post { type nat hook postrouting priority srcnat; ip saddr 192.0.2.0/24 masquerade; }
}
"""
_BPF_SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
_IPPROTO_SCTP = 132
_TC_H_ROOT = 0xFFFFFFFF


def loadable(modules: list[str]) -> set[str]:
    """Those of the modules that the kernel has not loaded yet but could."""
    if not Path("/proc/modules").exists() or not shutil.which("modprobe"):
        return set()
    argv = ["modprobe", "--dry-run", "--verbose", "--all", *modules]
    said = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False).stdout
    return insmods(said).intersection(modules)


def insmods(said: str) -> set[str]:
    """The modules that modprobe's dry run would insert, from what it prints."""
    lines = (line.split() for line in said.splitlines())
    paths = (words[1] for words in lines if len(words) > 1 and words[0] == "insmod")
    return {Path(path).name.partition(".")[0].replace("-", "_") for path in paths}


def _unshares(flag: int) -> None:
    """Tries one kind of namespace, in a child: a PID namespace lasts as long as its first one."""
    child = os.fork()
    if child == 0:
        try:
            syscalls.unshare(flag)
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, os.strerror(code))


def _become_root() -> None:
    """A user namespace in which an unprivileged user is root (user_namespaces(7))."""
    user, group = os.geteuid(), os.getegid()
    syscalls.unshare(CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def _enter() -> None:
    """The throw-away namespaces."""
    syscalls.unshare(syscalls.CLONE_NEWNET | syscalls.CLONE_NEWNS)
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("tmpfs", "/run", "tmpfs")


class _Kernel:
    """The probes of links, queueing disciplines and netlink families."""

    @cached_property
    def _route(self) -> Any:
        from pyroute2 import IPRoute

        return IPRoute()

    @cached_property
    def _device(self) -> int:
        """Index of a veth interface for what needs one below it."""
        self._route.link("add", ifname="probe0", kind="veth", peer="probe1")
        return int(self._route.link_lookup(ifname="probe0")[0])

    def veth(self) -> None:
        assert self._device  # noqa: S101 - making it is the probe

    def link(self, kind: str, **options: Any) -> None:
        self._route.link("add", ifname=f"p{kind}", kind=kind, **options)

    def link_above(self, kind: str, **options: Any) -> None:
        self.link(kind, link=self._device, **options)

    def qdisc(self, kind: str, **options: Any) -> None:
        self._route.tc("add", kind, self._device, **options)
        self._route.tc("del", index=self._device, parent=_TC_H_ROOT)

    def br_netfilter(self) -> None:
        """A namespace has the switch, and may set it, where the driver is there."""
        Path("/proc/sys/net/bridge/bridge-nf-call-iptables").write_text("1")

    def generic(self, family: str) -> None:
        from pyroute2.netlink import genlmsg
        from pyroute2.netlink.generic import GenericNetlinkSocket

        with GenericNetlinkSocket() as netlink:
            netlink.bind(family, genlmsg)

    def conntrack(self) -> None:
        from pyroute2 import NFCTSocket

        with NFCTSocket() as netlink:
            netlink.count()

    def ipset(self) -> None:
        from pyroute2 import IPSet

        with IPSet() as netlink:
            netlink.create("probe", stype="hash:ip")


def _feed(argv: list[str], text: bytes) -> None:
    """Runs a tool of rules, which says why it fails on stderr."""
    done = subprocess.run(argv, input=text, capture_output=True, timeout=10, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise OSError(said[0] if said else f"exit code {done.returncode}")


def _bpf() -> None:
    """Loads the program ``return 0`` as a socket filter (bpf(2), BPF_PROG_LOAD)."""
    program = ctypes.create_string_buffer(b"\xb7" + bytes(7) + b"\x95" + bytes(7), 16)
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = (ctypes.c_uint64 * 16)()
    attributes[0] = 1 | 2 << 32  # BPF_PROG_TYPE_SOCKET_FILTER, two instructions
    attributes[1] = ctypes.addressof(program)
    attributes[2] = ctypes.addressof(licence)
    number = _BPF_SYSCALL.get(platform.machine())
    if number is None:
        raise OSError(f"the number of bpf(2) on {platform.machine()} is not known here")
    libc = ctypes.CDLL(None, use_errno=True)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    descriptor = libc.syscall(ctypes.c_long(number), 5, ctypes.byref(attributes), size)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.close(descriptor)


def _sctp() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM, _IPPROTO_SCTP).close()


def _probes() -> dict[str, Callable[[], None]]:
    kernel = _Kernel()
    ends = ("192.0.2.1", "192.0.2.2")
    above, link, qdisc = kernel.link_above, kernel.link, kernel.qdisc
    return {
        "veth": kernel.veth,
        "bridge": partial(link, "bridge"),
        "br_netfilter": kernel.br_netfilter,
        "vxlan": partial(link, "vxlan", vxlan_id=1, vxlan_port=8472, vxlan_learning=False),
        "geneve": partial(link, "geneve", geneve_id=1, geneve_remote=ends[1]),
        "gre": partial(link, "gre", gre_local=ends[0], gre_remote=ends[1]),
        "ipip": partial(link, "ipip", ipip_local=ends[0], ipip_remote=ends[1]),
        "wireguard": partial(link, "wireguard"),
        "dummy": partial(link, "dummy"),
        "ifb": partial(link, "ifb"),
        "vrf": partial(link, "vrf", vrf_table=10),
        "vlan": partial(above, "vlan", vlan_id=2),
        "macvlan": partial(above, "macvlan", macvlan_mode="bridge"),
        "ipvlan": partial(above, "ipvlan"),
        "tbf": partial(qdisc, "tbf", rate="100mbit", burst=32768, latency="50ms"),
        "htb": partial(qdisc, "htb", default=1),
        "netem": partial(qdisc, "netem", delay=1000),
        "conntrack": kernel.conntrack,
        "ipset": kernel.ipset,
        "ipvs": partial(kernel.generic, "IPVS"),
        "openvswitch": partial(kernel.generic, "ovs_datapath"),
        "iptables": partial(_feed, ["iptables-restore"], _IPTABLES),
        "nftables": partial(_feed, ["nft", "-f", "-"], _NFTABLES),
        "bpf": _bpf,
        "sctp": _sctp,
    }


def _reason(probe: Callable[[], None]) -> str | None:
    """Why a probe fails, in few words; None if it does not."""
    try:
        probe()
    except Exception as error:  # pyroute2 has a dozen classes, and absence takes any form
        code = getattr(error, "code", None) or getattr(error, "errno", None)
        if isinstance(code, int) and code in errno.errorcode:
            return os.strerror(code)
        return str(error) or type(error).__name__
    return None


def run(names: list[str]) -> dict[str, str | None]:
    """Tries features.

    Args:
        names: Of kernel features.

    Returns:
        Each name with the reason why the feature is absent; None where it is present.
    """
    could = loadable([MODULES[name] for name in names if name in MODULES])
    ready = {name for name in names if MODULES.get(name) in could}
    found: dict[str, str | None] = dict.fromkeys(ready)
    user = _reason(_become_root) if os.geteuid() else None
    for name in NAMESPACES.keys() & names:
        found[name] = _reason(partial(_unshares, NAMESPACES[name]))
    rest = [name for name in names if name not in found]
    if rest:
        entry = user or _reason(_enter)
        probes = _probes()
        found |= {name: entry or _reason(probes[name]) for name in rest}
    return found


if __name__ == "__main__":
    json.dump(run(sys.argv[1:]), sys.stdout)
