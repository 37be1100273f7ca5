"""The rules of proxy mode iptables in the kernel: changes lead where a full load leads."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from randomviews import views

from testbed.cluster.serviceview import ProxyView
from testbed.errors import LabError
from testbed.kernel.conntrack import connections, forget
from testbed.kernel.netns import NetNs
from testbed.lab.proxies import carry_out
from testbed.proxy.contract import Forget, IptablesRestore, ProxyNode, modes
from testbed.proxy.program import NodeProgram

pytestmark = pytest.mark.kernel

MODE = modes.get("iptables")
NODE = ProxyNode("n1", ("192.168.0.11",), settings=MODE.settings)
_numbers = count(1)
EMPTY = {
    f":{name}"
    for name in (
        *("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
        *("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-NODEPORTS", "KUBE-PROXY-FIREWALL"),
        *("KUBE-FORWARD", "KUBE-FIREWALL", "KUBE-POSTROUTING", "KUBE-MARK-MASQ"),
    )
}
"""The chains of a node without Services."""


@pytest.fixture
def inside(request: pytest.FixtureRequest) -> Iterator[ThreadPoolExecutor]:
    """A thread; what it makes and enters is its own."""
    request.getfixturevalue("kernel")  # skips without root
    with ThreadPoolExecutor(1) as pool:
        yield pool


class Node:
    """A namespace with a program; the thread must stay the same."""

    def __init__(self) -> None:
        self.netns = NetNs.make(f"node/{next(_numbers)}")
        self.program = NodeProgram(MODE, NODE)

    def become(self, view: ProxyView) -> None:
        steps, after = self.program.update(view)
        with self.netns.entered():
            for step in steps:
                carry_out(self.netns, step)
        self.program = after

    def rules(self) -> list[str]:
        """What there is; the order within common chains means nothing, within others it does."""
        with self.netns.entered():
            said = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True)
        lines = [line for line in said.stdout.splitlines() if not line.startswith("#")]
        common = ("SERVICES ", "EXTERNAL-SERVICES ", "NODEPORTS ", "PROXY-FIREWALL ")
        shared = tuple(f"-A KUBE-{name}" for name in common)
        own = [line for line in lines if not line.startswith((*shared, ":"))]
        return own + sorted(line for line in lines if line.startswith(shared))

    def chains(self) -> set[str]:
        with self.netns.entered():
            said = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True)
        return {line.split()[0] for line in said.stdout.splitlines() if line.startswith(":")}

    def last_of_services(self) -> str:
        with self.netns.entered():
            argv = ["iptables", "-t", "nat", "-S", "KUBE-SERVICES"]
            said = subprocess.run(argv, capture_output=True, text=True, check=True)
        return said.stdout.splitlines()[-1]


@pytest.mark.parametrize("seed", range(4))
def test_changes_lead_where_a_full_load_leads(inside: ThreadPoolExecutor, seed: int) -> None:
    def run() -> None:
        changed, fresh = Node(), None
        for view in views(seed):
            changed.become(view)
            fresh = Node()
            fresh.become(view)
            assert changed.chains() == fresh.chains()
            assert changed.rules() == fresh.rules()
            assert changed.last_of_services().endswith("-j KUBE-NODEPORTS")
            fresh.netns.close()
        changed.become(ProxyView())
        assert changed.chains() == EMPTY
        changed.netns.close()

    inside.submit(run).result()


def test_many_changes_at_once(inside: ThreadPoolExecutor) -> None:
    """More than fit into one transaction, there and back."""

    def run() -> None:
        node, fresh = Node(), Node()
        (view,) = views(1, services=600, steps=1)
        node.become(ProxyView())
        node.become(view)
        fresh.become(view)
        assert node.rules() == fresh.rules()
        node.become(ProxyView())
        assert node.chains() == EMPTY

    inside.submit(run).result()


def test_what_iptables_refuses_is_told(inside: ThreadPoolExecutor) -> None:
    def run() -> None:
        node = Node()
        with (
            node.netns.entered(),
            pytest.raises(LabError, match=r"node/\d+: iptables-restore: .* line 2 "),
        ):
            carry_out(node.netns, IptablesRestore("*nat\n-A FOO -j ACCEPT\nCOMMIT\n"))

    inside.submit(run).result()


UDP = """
import socket
a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in "ab")
a.bind(("127.0.0.1", 5353)); b.bind(("127.0.0.1", 4000))
b.sendto(b"?", ("127.0.0.1", 53))
b.sendto(b"?", ("127.0.0.1", 54))
"""


def test_stale_connections_are_forgotten_and_no_others(inside: ThreadPoolExecutor) -> None:
    def run() -> None:
        netns = NetNs.make("node/udp")
        with netns.entered():
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            start, end = "-A OUTPUT -p udp --dport", "-j DNAT --to-destination 127.0.0.1:5353"
            rules = "".join(f"{start} {port} {end}\n" for port in (53, 54))
            carry_out(netns, IptablesRestore(f"*nat\n{rules}COMMIT\n"))
            subprocess.run([sys.executable, "-c", UDP], check=True)
            found = {one.to: one.answered_by for one in connections()}
            assert found == {
                ("127.0.0.1", 53): ("127.0.0.1", 5353),
                ("127.0.0.1", 54): ("127.0.0.1", 5353),
            }
            here, gone = frozenset({("127.0.0.1", 5353)}), frozenset({("127.0.0.1", 1)})
            kept = Forget({("127.0.0.1", 53): here}, {54: here})
            assert forget("node/udp", kept) == 0
            assert forget("node/udp", Forget({("127.0.0.1", 53): gone}, {})) == 1
            assert forget("node/udp", Forget({}, {54: gone})) == 1
            assert connections() == []
        netns.close()

    inside.submit(run).result()
