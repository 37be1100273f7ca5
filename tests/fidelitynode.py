"""Two nodes with the same Services: one of the real kube-proxy, one of this project's modes.

Each is a network namespace with the addresses of node n1. :class:`RealNode` has a kube-proxy that
runs on while one cluster after another is put into the API that it watches; :class:`OurNode` has a
:class:`~testbed.proxy.program.NodeProgram`. All methods are to be called by one thread, which
enters the namespaces.

When kube-proxy has done what it was told, is told by a fence: a Service and its EndpointSlice that
are changed after everything else. As each of its watches tells changes in their order, the sync
that programs the fence programs all others. In iptables and nftables that is one transaction, and
an event of the kernel's (``NFNLGRP_NFTABLES``); in ipvs it is many commands, whose end
kube-proxy's log tells. Nothing waits for a time.

In the virtual machine a process costs 50 to 150 ms, and a sync of ipvs is some dozens. So that
kube-proxy, which is the same program there, makes no more syncs than it has to: it waits a while
after each (:data:`MIN_SYNC`), in which all of the next cluster comes together; and where it runs
there is no ``ip6tables``, so that it does not do the same for IPv6, of which there is nothing.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import fidelityrules as rules

from testbed import kubeconfig
from testbed.cluster.backends import Statuses
from testbed.cluster.discovery import Discovery, discover
from testbed.cluster.model import Cluster
from testbed.cluster.proxyview import Seen, proxy_view
from testbed.kernel import inotify
from testbed.kernel.netns import NetNs
from testbed.lab.proxies import carry_out
from testbed.lab.standaloneapi import StandaloneApi
from testbed.objects import from_manifest
from testbed.proxy import kubeproxy
from testbed.proxy.contract import ProxyNode, modes
from testbed.proxy.program import NodeProgram, proxy_node
from testbed.spec import apply

MIN_SYNC = {"iptables": "10ms", "nftables": "10ms", "ipvs": "3s"}
"""Of kube-proxy here, from the end of a sync to the next one: 1 s by default (ipvs: none), which
would only make the test longer. What takes us less than that is one sync of ipvs, and not two."""

PATIENCE = 400.0
"""Seconds for one sync: in software emulation kube-proxy takes long for its first one."""

FENCE = "fence"
FENCE_IP = "10.111.111.111"
FENCE_END = "10.244.250.250"
_NETLINK_NETFILTER, _NFNLGRP_NFTABLES = 12, 7


class Dump(NamedTuple):
    """What is compared of a back end.

    Attributes:
        argvs: Print the rules.
        form: Makes a form of what each of them has printed.
        fenced: Whether what the first has printed has the fence of a number.
        logged: Whether the fence may be there before other rules are: then the log tells when a
            sync has ended, and what is compared leaves the fence out.
    """

    argvs: tuple[tuple[str, ...], ...]
    form: Callable[..., rules.Form]
    fenced: Callable[[str, int], bool]
    logged: bool = False


def _in_iptables(saved: str, number: int) -> bool:
    there = f"-d {FENCE_IP}/32 " in saved and f"--dport {10000 + number} " in saved
    return there and f"--to-destination {FENCE_END}:{20000 + number}\n" in saved


def _in_nftables(listed: str, number: int) -> bool:
    there = f'"{FENCE_IP}", "tcp", {10000 + number}]' in listed
    return there and f'"addr": "{FENCE_END}", "port": {20000 + number}' in listed


def _in_ipvs(saved: str, number: int) -> bool:
    start = f"-a -t {FENCE_IP}:{10000 + number} -r {FENCE_END}:{20000 + number} "
    return start in saved


DUMPS: Mapping[str, Dump] = {
    "iptables": Dump((("iptables-save",),), rules.iptables, _in_iptables),
    "nftables": Dump((("nft", "-j", "list", "ruleset", "ip"),), rules.nftables, _in_nftables),
    "ipvs": Dump(
        (
            ("ipvsadm", "-Sn"),
            ("ipset", "save"),
            ("iptables-save",),
            ("ip", "-o", "-4", "address", "show", "dev", "kube-ipvs0"),
        ),
        partial(rules.ipvs, FENCE_IP),
        _in_ipvs,
        logged=True,
    ),
}


def fence(cluster: Cluster, number: int) -> Cluster:
    """The cluster with the fence of a number."""
    port: dict[str, Any] = {"name": "p", "protocol": "TCP"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": FENCE, "namespace": "kube-system"},
        "spec": {"clusterIP": FENCE_IP, "ports": [{**port, "port": 10000 + number}]},
    }
    labels = {"kubernetes.io/service-name": FENCE}
    part = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": FENCE, "namespace": "kube-system", "labels": labels},
        "addressType": "IPv4",
        "ports": [{**port, "port": 20000 + number}],
        "endpoints": [{"addresses": [FENCE_END]}],
    }
    return apply(cluster, (from_manifest(service), from_manifest(part)))


class Node:
    """A network namespace with the addresses of n1.

    Args:
        node: Its addresses.
    """

    def __init__(self, node: ProxyNode) -> None:
        self.netns = NetNs.make("node/n1")
        words = [["link", "set", "lo", "up"], ["link", "add", "n1-eth0", "type", "veth"]]
        words += [["address", "add", f"{a}/24", "dev", "n1-eth0"] for a in node.addresses]
        words += [["link", "set", "n1-eth0", "up"]]
        with self.netns.entered():
            for some in words:
                subprocess.run(["ip", *some], check=True)

    def run(self, *argv: str) -> str:
        """What a command prints."""
        with self.netns.entered():
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
        return done.stdout

    def sysctls(self) -> dict[str, str]:
        """The kernel parameters of the namespace that proxies have to do with."""
        return {key: self._sysctl(key) for key in SYSCTLS}

    def _sysctl(self, key: str) -> str:
        with self.netns.entered():
            return Path("/proc/sys/net", key).read_text().strip()

    def close(self) -> None:
        """Gives the namespace back."""
        self.netns.close()


SYSCTLS = (
    "ipv4/conf/all/route_localnet",
    "ipv4/conf/all/arp_ignore",
    "ipv4/conf/all/arp_announce",
    "ipv4/ip_forward",
    "netfilter/nf_conntrack_tcp_be_liberal",
    "netfilter/nf_conntrack_tcp_timeout_established",
    "netfilter/nf_conntrack_tcp_timeout_close_wait",
    "netfilter/nf_conntrack_udp_timeout",
    "netfilter/nf_conntrack_udp_timeout_stream",
)


class Syncs:
    """The syncs that a kube-proxy in ipvs mode tells of in its log.

    Args:
        log: The log, which exists.
    """

    def __init__(self, log: Path) -> None:
        self._file, self._begun, self._ended = log.open("rb"), 0, 0
        self._part = b""

    @property
    def idle(self) -> bool:
        """Whether none was under way when the log was read."""
        return 0 < self._begun == self._ended

    def read(self) -> int:
        """Reads what is new, and returns how many have begun; nothing is programmed before."""
        *lines, self._part = (self._part + self._file.read()).split(b"\n")
        for line in lines:
            self._begun += b'"Syncing ipvs proxier rules"' in line
            self._ended += b'"syncProxyRules complete"' in line
        return self._begun

    def close(self) -> None:
        """Closes the log."""
        self._file.close()


class RealNode(Node):
    """A node with kube-proxy.

    Args:
        node: What its proxy knows.
        back_end: Of kube-proxy.
        program: kube-proxy.
    """

    def __init__(self, node: ProxyNode, back_end: kubeproxy.BackEnd, program: Path) -> None:
        super().__init__(node)
        self._dump, self._number, self._node = DUMPS[back_end], 0, node
        self._folder = tempfile.TemporaryDirectory()
        self.log = Path(self._folder.name, "log")
        with self.netns.entered():
            listener = socket.create_server(("127.0.0.1", 0))
            self._news = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        self._news.bind((0, 1 << _NFNLGRP_NFTABLES - 1))
        self._news.setblocking(False)
        self.log.touch()
        self._syncs = Syncs(self.log)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        kubeconfig_file = Path(self._folder.name, "kubeconfig")
        config = Path(self._folder.name, "config")
        kubeconfig_file.write_text(kubeconfig.text(node.name, address))
        config.write_text(
            kubeproxy.configuration(node, back_end, str(kubeconfig_file), MIN_SYNC[back_end])
        )
        self.api = StandaloneApi(listener)
        tied = ("setpriv", "--pdeathsig", "KILL", "--")  # it ends with this thread, however
        self._argv = [*tied, str(program), f"--config={config}"]
        self._environment = dict(os.environ)
        if self._dump.logged:
            Path(self._folder.name, "ip6tables").symlink_to("/bin/false")
            self._environment["PATH"] = f"{self._folder.name}:{os.environ['PATH']}"
        self._process: subprocess.Popen[bytes] | None = None
        self._found: Discovery | None = None

    def tell(self, cluster: Cluster, statuses: Statuses) -> Discovery:
        """Tells kube-proxy of a cluster; what comes of it is to be awaited.

        Args:
            cluster: The cluster.
            statuses: How its pods do.

        Returns:
            What it was told: the endpoints of the cluster with the fence.
        """
        if self._process is not None:
            self._tell(cluster, statuses)
        self._number += 1
        found = self._tell(cluster, statuses)
        if self._process is None:
            with self.log.open("ab") as log, self.netns.entered():
                self._process = subprocess.Popen(
                    self._argv, stdout=log, stderr=log, env=self._environment
                )
        return found

    def wait(self) -> None:
        """Waits until kube-proxy has programmed what it was told last."""
        end = time.monotonic() + PATIENCE
        with inotify.writes([self.log]) as written:
            while not self._is_done():
                left = end - time.monotonic()
                assert self._process is not None
                assert left > 0 and self._process.poll() is None, self.log.read_text()[-8000:]
                if self._dump.logged:
                    written(left)
                else:
                    select.select([self._news], [], [], left)
                    self._drain()

    def _is_done(self) -> bool:
        """Whether the fence is there and, in ipvs, no sync was under way meanwhile."""
        before = self._syncs.read()
        if self._dump.logged and not self._syncs.idle:
            return False
        saved = self.run(*self._dump.argvs[0])
        return self._dump.fenced(saved, self._number) and (
            not self._dump.logged or self._syncs.read() == before
        )

    def _tell(self, cluster: Cluster, statuses: Statuses) -> Discovery:
        found = discover(fence(cluster, self._number), statuses, (), self._found)
        self.api.become(found)
        self._found = found
        return found

    def _drain(self) -> None:
        """Reads the events; that there were more than it has room for is one, too."""
        while True:
            try:
                self._news.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError as error:
                assert error.errno == errno.ENOBUFS, error

    def close(self) -> None:
        """Ends kube-proxy and the API, too."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
        self.api.close()
        self._news.close()
        self._syncs.close()
        self._folder.cleanup()
        super().close()


class OurNode(Node):
    """A node with one of this project's proxy modes.

    Args:
        node: What its proxy knows.
        mode: Name of the mode.
    """

    def __init__(self, node: ProxyNode, mode: str) -> None:
        super().__init__(node)
        self._program = NodeProgram(modes.get(mode), node)
        self._view: Seen | None = None

    def become(self, discovery: Discovery) -> None:
        """Programs a cluster, from what is there already."""
        view = proxy_view(discovery, self._view)
        steps, after = self._program.update(view)
        with self.netns.entered():
            for step in steps:
                carry_out(self.netns, step)
        self._program, self._view = after, view


def proxy_node_of(cluster: Cluster, mode: str, settings: Mapping[str, str]) -> ProxyNode:
    """Node n1 as a proxy knows it, with the mode's default settings but for those given."""
    chosen = {**modes.get(mode).settings, **settings}
    return proxy_node(cluster, cluster.node("n1"), chosen)


def form(node: Node, back_end: str) -> rules.Form:
    """The rules of a node."""
    dump = DUMPS[back_end]
    return dump.form(*(node.run(*argv) for argv in dump.argvs))
