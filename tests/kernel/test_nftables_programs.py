"""The tables of the nftables modes in the kernel: changes lead where a full load leads."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from randomviews import views

from testbed.cluster.serviceview import Endpoint, ProxyView, ServicePortInfo, ServicePortName
from testbed.errors import LabError
from testbed.kernel.netns import NetNs
from testbed.lab.proxies import carry_out
from testbed.proxy.contract import Nft, ProxyNode, modes
from testbed.proxy.program import NodeProgram

pytestmark = pytest.mark.kernel

MODES = ("nftables", "nftables-flat")
_numbers = count(1)
Table = dict[tuple[str, str], Any]


class Node:
    """A namespace with a program; the thread must stay the same."""

    def __init__(self, mode: str, **settings: str) -> None:
        found = modes.get(mode)
        self.netns = NetNs.make(f"node/{next(_numbers)}")
        node = ProxyNode("n1", ("192.168.0.11",), settings={**found.settings, **settings})
        self.program = NodeProgram(found, node)

    def become(self, view: ProxyView) -> None:
        steps, after = self.program.update(view)
        for step in steps:
            if isinstance(step, Nft):
                with self.netns.entered():
                    carry_out(self.netns, step)
        self.program = after

    def load(self, text: str) -> None:
        with self.netns.entered():
            carry_out(self.netns, Nft((text,)))

    def table(self) -> Table:
        """What there is: sets with their elements, chains with their rules."""
        with self.netns.entered():
            argv = ["nft", "--json", "list", "ruleset"]
            said = subprocess.run(argv, capture_output=True, text=True, check=True)
        found: Table = {}
        for item in json.loads(said.stdout)["nftables"]:
            ((kind, what),) = item.items()
            what = {key: value for key, value in what.items() if key != "handle"}
            if kind in ("set", "map"):
                what["elem"] = sorted(json.dumps(one) for one in what.get("elem", ()))
                found[kind, what["name"]] = what
            elif kind == "chain":
                found.setdefault((kind, what["name"]), []).insert(0, what)
            elif kind == "rule":
                found.setdefault(("chain", what["chain"]), []).append(what)
        return found


@pytest.fixture
def inside(request: pytest.FixtureRequest) -> Iterator[ThreadPoolExecutor]:
    """A thread; what it makes and enters is its own."""
    request.getfixturevalue("kernel")  # skips without root
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("mode", MODES)
def test_changes_lead_where_a_full_load_leads(
    inside: ThreadPoolExecutor, mode: str, seed: int
) -> None:
    def run() -> None:
        changed, empty = Node(mode), Node(mode)
        empty.become(ProxyView())
        for view in views(seed):
            changed.become(view)
            fresh = Node(mode)
            fresh.become(view)
            assert changed.table() == fresh.table()
            fresh.netns.close()
        changed.become(ProxyView())
        assert changed.table() == empty.table()
        changed.netns.close()

    inside.submit(run).result()


@pytest.mark.parametrize("mode", MODES)
def test_more_ports_than_a_transaction_has(inside: ThreadPoolExecutor, mode: str) -> None:
    def run() -> None:
        node, fresh = Node(mode), Node(mode)
        (view,) = views(1, services=1200, steps=1)
        node.become(ProxyView())
        empty = node.table()
        node.become(view)
        fresh.become(view)
        assert node.table() == fresh.table()
        node.become(ProxyView())
        assert node.table() == empty

    inside.submit(run).result()


A, B = (ServicePortName("ns", name, "", "TCP") for name in "ab")
END = Endpoint("10.244.1.2", 8080, "n1")
OTHER = Endpoint("10.244.2.2", 8080, "n2")


@pytest.mark.parametrize("mode", MODES)
def test_an_address_of_two_services_belongs_to_the_first(
    inside: ThreadPoolExecutor, mode: str
) -> None:
    """Whichever is there before the other, and to the second as soon as the first has gone."""

    def run() -> None:
        vips = ("203.0.113.1",)
        plain = ServicePortInfo("10.96.0.1", 80, "TCP", 0, vips, vips)
        one = replace(plain, source_ranges=("10.0.0.0/8",))
        two = replace(plain, cluster_ip="10.96.0.2", source_ranges=("10.1.0.0/16",))
        ends = {A: (END,), B: (END, OTHER)}
        both = ProxyView({A: one, B: two}, ends)
        only = ProxyView({B: two}, {B: ends[B]})
        takes = ProxyView({B: replace(two, external_ips=("10.96.0.1",)), A: one}, ends)
        tables = []
        for order in ((both,), (only, both), (takes, both), (both, only, both)):
            node = Node(mode)
            for view in order:
                node.become(view)
            tables.append(node.table())
        assert all(table == tables[0] for table in tables)
        node.become(only)
        fresh = Node(mode)
        fresh.become(only)
        assert node.table() == fresh.table() != tables[0]

    inside.submit(run).result()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ranges", ["", "0.0.0.0/0", "192.168.0.0/24", "172.16.0.0/12"])
def test_every_setting_loads(inside: ThreadPoolExecutor, mode: str, ranges: str) -> None:
    def run() -> None:
        settings = {"masquerade_all": "true", "detect_local": "false"}
        node = Node(mode, nodeport_addresses=ranges, **settings)
        (view,) = views(2, steps=1)
        node.become(view)
        assert (("set", "nodeport-ips") in node.table()) == (ranges != "0.0.0.0/0")

    inside.submit(run).result()


@pytest.mark.parametrize("mode", MODES)
def test_a_refused_transaction_changes_nothing(inside: ThreadPoolExecutor, mode: str) -> None:
    def run() -> None:
        node = Node(mode)
        (view,) = views(3, steps=1)
        node.become(view)
        before = node.table()
        with pytest.raises(LabError, match="no-such-chain"):
            node.load(
                "delete element ip kube-proxy nodeport-ips { 192.168.0.11 }\n"
                "add element ip kube-proxy service-ips { 10.96.9.9 . tcp . 80 "
                ": goto no-such-chain }\n"
            )
        assert node.table() == before

    inside.submit(run).result()


@pytest.mark.parametrize("mode", MODES)
def test_the_longest_names_load(inside: ThreadPoolExecutor, mode: str) -> None:
    """The comment of a port without endpoints would be longer than nft takes."""

    def run() -> None:
        name = ServicePortName("n" * 63, "s" * 63, "p" * 15, "TCP")
        info = ServicePortInfo("10.96.0.1", 80, "TCP", 30000, affinity_seconds=60)
        node, whole = Node(mode), Node(mode)
        node.become(ProxyView())
        for ends in ((), (END, OTHER), ()):
            view = ProxyView({name: info}, {name: ends})
            node.become(view)
            steps, _ = NodeProgram(modes.get(mode), node.program.node).update(view)
            for step in steps:
                if isinstance(step, Nft):
                    whole.load(step.text)  # nft itself
            assert node.table() == whole.table()

    inside.submit(run).result()


def test_flat_has_no_chain_per_service(inside: ThreadPoolExecutor) -> None:
    """A hundred Services of a kind have as many chains and sets as one of that kind."""

    def run() -> None:
        info = ServicePortInfo("10.96.0.1", 80, "TCP", affinity_seconds=60)
        sizes = []
        for many in (1, 100):
            names = [ServicePortName("ns", f"s{i}", "", "TCP") for i in range(many)]
            services = {n: replace(info, cluster_ip=f"10.96.0.{i}") for i, n in enumerate(names)}
            node = Node("nftables-flat")
            node.become(ProxyView(services, dict.fromkeys(names, (END, OTHER))))
            sizes.append(len(node.table()))
        assert sizes[0] == sizes[1]

    inside.submit(run).result()
