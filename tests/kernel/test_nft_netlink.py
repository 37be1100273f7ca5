"""Transactions of nftables by our own netlink messages: as if nft had carried them out.

Two namespaces get the same transactions, one by our messages, one by ``nft -f``. Then ``nft`` lists
the same, and the expressions in the kernel are the same, one by one.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from randomviews import views

from testbed.cluster.serviceview import ProxyView
from testbed.errors import LabError
from testbed.kernel import nftnetlink
from testbed.kernel.netns import NetNs
from testbed.kernel.nftmessages import encode
from testbed.kernel.nftreader import Unknown
from testbed.proxy import nft
from testbed.proxy.contract import Nft, ProxyNode, modes
from testbed.proxy.nft import AddChain, AddElements, AddRule, Command, Element
from testbed.proxy.program import NodeProgram

pytestmark = pytest.mark.kernel

MODES = ("nftables", "nftables-flat")
SERVICE = "ipv4_addr . inet_proto . inet_service : verdict"


@pytest.fixture
def inside(request: pytest.FixtureRequest) -> Iterator[Callable[[Callable[[], None]], None]]:
    """Does something in a thread of its own; what it makes and enters is that thread's."""
    request.getfixturevalue("kernel")  # skips without root
    with ThreadPoolExecutor(1) as pool:
        yield lambda job: pool.submit(job).result()


def ours(netns: NetNs, step: Nft) -> None:
    """Ours, of what is given as data; what makes the empty table is nft's."""
    if isinstance(step.commands[0], str):
        by_nft(netns, step)
        return
    with netns.entered():
        assert nftnetlink.commit(netns.name, step.commands), "left to nft"


def by_nft(netns: NetNs, step: Nft) -> None:
    with netns.entered():
        subprocess.run(["nft", "-f", "-"], input=step.text, text=True, check=True)


def said(netns: NetNs, *words: str) -> str:
    with netns.entered():
        done = subprocess.run(["nft", *words], capture_output=True, text=True, check=True)
        return done.stdout


def listed(netns: NetNs) -> list[Any]:
    """What ``nft`` lists, without the kernel's numbers; elements are in no order."""
    found = []
    for item in json.loads(said(netns, "--json", "list", "ruleset"))["nftables"]:
        ((kind, what),) = item.items()
        what = {key: value for key, value in what.items() if key != "handle"}
        if "elem" in what:
            what["elem"] = sorted(json.dumps(one) for one in what["elem"])
        found.append((kind, what))
    order = {name: i for i, name in enumerate(("metainfo", "table", "set", "map", "chain", "rule"))}
    return sorted(found, key=lambda one: (order[one[0]], one[1].get("name", "")))


def expressions(netns: NetNs) -> list[str]:
    """The expressions of all rules, chain by chain, and the elements of the sets they bring."""
    lines = said(netns, "--debug=netlink", "list", "ruleset").splitlines()
    texts = [
        line for line in lines if line.startswith("  [") or re.match(r"\telement .*\[end\]", line)
    ]
    return sorted(re.sub(r"set __\S+", "set", text) for text in texts)


def same(one: NetNs, other: NetNs) -> None:
    assert listed(one) == listed(other)
    assert expressions(one) == expressions(other)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("mode", MODES)
def test_the_kernel_has_what_nft_would_have_made(
    inside: Callable[[Callable[[], None]], None], mode: str, seed: int
) -> None:
    def run() -> None:
        found = modes.get(mode)
        settings = {**found.settings, "masquerade_all": "true" if seed % 2 else "false"}
        program = NodeProgram(found, ProxyNode("n1", ("192.168.0.11",), settings=settings))
        one, other = NetNs.make("node/ours"), NetNs.make("node/nft")
        for view in (*views(seed), ProxyView()):
            steps, program = program.update(view)
            for step in steps:
                if isinstance(step, Nft):
                    ours(one, step)
                    by_nft(other, step)
            same(one, other)

    inside(run)


RULES = (
    "ip saddr 10.96.0.0/12 goto b",
    "ip saddr != 10.96.0.0/30 drop",
    "ip daddr 10.0.0.0/8 drop",
    "ip saddr != { 10.0.0.1 , 10.0.0.2 } drop",
    "ip saddr != { 10.0.0.0/24 , 10.0.1.0/24 } drop",
    "ip saddr != { 10.0.1.0/24 , 10.0.0.0/24 , 192.168.7.7 } drop",
    "ip saddr != { 0.0.0.0/1 , 192.0.0.0/8 } drop",
    "ip saddr != { 10.0.0.0/24 } drop",
    "numgen random mod 3 vmap { 0 : goto b , 1 : goto b , 2 : goto b }",
    "ct state new jump b",
    'meta l4proto sctp return comment "a word"',
)


def test_rules_one_by_one(inside: Callable[[Callable[[], None]], None]) -> None:
    def run() -> None:
        one, other = NetNs.make("node/ours"), NetNs.make("node/nft")
        chains = [AddChain("b"), *(AddChain(f"a{i}") for i in range(len(RULES)))]
        rules = (AddRule(f"a{i}", rule) for i, rule in enumerate(RULES))
        table: tuple[Command | str, ...] = (f"add table {nft.TABLE}",)
        for step in (Nft(table), Nft((*chains, *rules))):
            ours(one, step)
            by_nft(other, step)
        same(one, other)

    inside(run)


@pytest.mark.parametrize(
    "rule",
    [
        "ip saddr != { 10.0.0.0/24 , 255.0.0.0/8 } drop",
        "ip saddr != { 10.0.0.0/8 , 10.1.0.0/16 } drop",
        "ip saddr { 10.0.0.1 , 10.0.0.2 } drop",
        "ip saddr 0.0.0.0/0 drop",
        "ip saddr 10.0.0 drop",
        "numgen random mod 2 vmap { 1 : goto b , 0 : goto b }",
        "tcp dport 80 drop",
        "jump",
        "masquerade fully-random",
    ],
)
def test_what_is_not_known_is_left_to_nft(rule: str) -> None:
    with pytest.raises(Unknown):
        encode([AddRule("a", rule)])


def test_many_elements_in_one_command(inside: Callable[[Callable[[], None]], None]) -> None:
    """More than one message holds; and again without them."""

    def run() -> None:
        netns = NetNs.make("node/ours")
        maps = f"add table {nft.TABLE}\nadd chain {nft.TABLE} a\n" + (
            f"add map {nft.TABLE} m {{ type {SERVICE.replace(' :', ' :')} ; }}"
        )
        by_nft(netns, Nft((maps,)))
        empty = listed(netns)
        keys = (f"10.{i >> 8}.{i & 255}.1 . tcp . 80" for i in range(5000))
        elements = tuple(Element("m", key, "goto a", "b c") for key in keys)
        ours(netns, Nft((AddElements("m", SERVICE, elements),)))
        (held,) = (len(what["elem"]) for kind, what in listed(netns) if kind == "map")
        assert held == len(elements)
        ours(netns, Nft((nft.DeleteElements("m", SERVICE, elements),)))
        assert listed(netns) == empty

    inside(run)


def test_a_refused_transaction_changes_nothing_and_says_what(
    inside: Callable[[Callable[[], None]], None],
) -> None:
    """The element that is wrong, among many that are right."""

    def run() -> None:
        found = modes.get("nftables-flat")
        program = NodeProgram(found, ProxyNode("n1", ("192.168.0.11",), settings=found.settings))
        netns = NetNs.make("node/ours")
        for view in views(1, steps=1):
            steps, program = program.update(view)
            for step in steps:
                if isinstance(step, Nft):
                    ours(netns, step)
        before = listed(netns)
        right = [Element("service-ips", f"10.9.0.{i} . tcp . 80", "drop") for i in range(1, 99)]
        for wrong, why in (
            (Element("service-ips", "10.9.1.1 . tcp . 80", "goto no-such-chain"), "No such file"),
            (Element("service-ips", "10.9.0.98 . tcp . 80", "accept"), "File exists"),
        ):
            elements = (*right, wrong, Element("service-ips", "10.9.2.1 . tcp . 80", "drop"))
            command = AddElements("service-ips", SERVICE, elements)
            with pytest.raises(LabError) as caught, netns.entered():
                nftnetlink.commit(netns.name, (AddChain("new"), command))
            assert str(wrong) in str(caught.value)
            assert why in str(caught.value)
            assert str(right[0]) not in str(caught.value)
            assert listed(netns) == before

    inside(run)
