"""Proxy mode iptables: the texts that are loaded, port by port and change by change."""

from __future__ import annotations

import pytest

from testbed.cluster.categorize import categorize
from testbed.cluster.serviceview import Endpoint, ProxyView, ServicePortInfo, ServicePortName
from testbed.errors import InputError
from testbed.plan.model import Sysctl
from testbed.proxy.contract import IptablesRestore, ProxyNode, Step, modes
from testbed.proxy.modes._iptables_names import endpoint_chain, port_hash
from testbed.proxy.program import NodeProgram

MODE = modes.get("iptables")
NODE = ProxyNode("n1", ("192.168.0.11",), settings=MODE.settings)
WEB = ServicePortName("shop", "web", "http", "TCP")
HERE, THERE = Endpoint("10.244.1.2", 8080, "n1"), Endpoint("10.244.2.2", 8080, "n2")


def info(**changes: object) -> ServicePortInfo:
    known: dict[str, object] = {"cluster_ip": "10.96.0.7", "port": 80, "protocol": "TCP"}
    return ServicePortInfo(**{**known, **changes})  # type: ignore[arg-type]


def view(**ports: tuple[ServicePortInfo, tuple[Endpoint, ...]]) -> ProxyView:
    names = {ServicePortName("shop", n, "http", i.protocol): (i, e) for n, (i, e) in ports.items()}
    return ProxyView({n: i for n, (i, _) in names.items()}, {n: e for n, (_, e) in names.items()})


def text(steps: tuple[Step, ...]) -> str:
    """The loaded text, with the chains of port ``web`` and its endpoints named for people."""
    found = "".join(step.text for step in steps if isinstance(step, IptablesRestore))
    for one in (HERE, THERE):
        found = found.replace(endpoint_chain(WEB, str(one)), f"SEP-{one.node}")
    return found.replace(f"-{port_hash(WEB)}", "")


def rules(one: ServicePortInfo, *endpoints: Endpoint, **settings: str) -> list[str]:
    """What a port alone brings into both tables, line by line."""
    node = ProxyNode("n1", ("192.168.0.11",), settings={**MODE.settings, **settings})
    fragment = MODE.service(node, WEB, one, categorize(one, endpoints, "n1"))
    empty, full = (
        text(MODE.full(node, fragments)).splitlines() for fragments in ({}, {WEB: fragment})
    )
    return [line for line in full if line not in empty]


def test_the_names_of_chains() -> None:
    """Those of Kubernetes' own tests (pkg/proxy/iptables/proxier_test.go)."""
    name = ServicePortName("ns1", "svc1", "p80", "TCP")
    assert port_hash(name) == "XPGD46QRK7WJZT7O"
    assert endpoint_chain(name, "10.180.0.1:80") == "KUBE-SEP-SXIVWICOYRO3J4NJ"


CLUSTER_IP = [
    ":KUBE-SVC - [0:0]",
    ":SEP-n1 - [0:0]",
    ":SEP-n2 - [0:0]",
    '-A KUBE-SERVICES -m comment --comment "shop/web:http cluster IP" -m tcp -p tcp -d 10.96.0.7'
    " --dport 80 -j KUBE-SVC",
    '-A KUBE-SVC -m comment --comment "shop/web:http cluster IP" -m tcp -p tcp -d 10.96.0.7'
    " --dport 80 ! -s 10.244.0.0/16 -j KUBE-MARK-MASQ",
    '-A KUBE-SVC -m comment --comment "shop/web:http -> 10.244.1.2:8080" -m statistic --mode random'
    " --probability 0.5000000000 -j SEP-n1",
    '-A KUBE-SVC -m comment --comment "shop/web:http -> 10.244.2.2:8080" -j SEP-n2',
    "-A SEP-n1 -m comment --comment shop/web:http -s 10.244.1.2 -j KUBE-MARK-MASQ",
    "-A SEP-n1 -m comment --comment shop/web:http -m tcp -p tcp -j DNAT"
    " --to-destination 10.244.1.2:8080",
    "-A SEP-n2 -m comment --comment shop/web:http -s 10.244.2.2 -j KUBE-MARK-MASQ",
    "-A SEP-n2 -m comment --comment shop/web:http -m tcp -p tcp -j DNAT"
    " --to-destination 10.244.2.2:8080",
]


def test_a_cluster_ip() -> None:
    assert rules(info(), HERE, THERE) == CLUSTER_IP


def test_who_is_masqueraded() -> None:
    start = CLUSTER_IP[4].partition(" ! -s")[0]
    everybody = rules(info(), HERE, masquerade_all="true")
    assert f"{start} -j KUBE-MARK-MASQ" in everybody
    assert not any("cluster IP" in line and "MASQ" in line
                   for line in rules(info(), HERE, detect_local="false"))  # fmt: skip


def test_affinity_comes_before_the_choice() -> None:
    found = rules(info(affinity_seconds=60), HERE, THERE)
    chosen = [line for line in found if line.startswith("-A KUBE-SVC")][1:]
    assert [line.partition('8080" ')[2] for line in chosen] == [
        "-m recent --name SEP-n1 --rcheck --seconds 60 --reap -j SEP-n1",
        "-m recent --name SEP-n2 --rcheck --seconds 60 --reap -j SEP-n2",
        "-m statistic --mode random --probability 0.5000000000 -j SEP-n1",
        "-j SEP-n2",
    ]
    assert (
        "-A SEP-n1 -m comment --comment shop/web:http -m recent --name SEP-n1 --set -m tcp -p tcp"
        " -j DNAT --to-destination 10.244.1.2:8080" in found
    )


def test_an_external_policy_local() -> None:
    found = rules(info(node_port=30080, external_policy_local=True), HERE, THERE)
    for_it = 'for shop/web:http external destinations"'
    assert [line for line in found if "KUBE-EXT" in line or "KUBE-SVL" in line] == [
        ":KUBE-EXT - [0:0]",
        ":KUBE-SVL - [0:0]",
        '-A KUBE-NODEPORTS -m comment --comment "shop/web:http" -m tcp -p tcp --dport 30080'
        " -j KUBE-EXT",
        f'-A KUBE-EXT -m comment --comment "pod traffic {for_it} -s 10.244.0.0/16 -j KUBE-SVC',
        f'-A KUBE-EXT -m comment --comment "masquerade LOCAL traffic {for_it} -m addrtype'
        " --src-type LOCAL -j KUBE-MARK-MASQ",
        f'-A KUBE-EXT -m comment --comment "route LOCAL traffic {for_it} -m addrtype'
        " --src-type LOCAL -j KUBE-SVC",
        "-A KUBE-EXT -j KUBE-SVL",
        '-A KUBE-SVL -m comment --comment "shop/web:http -> 10.244.1.2:8080" -j SEP-n1',
    ]


def test_without_an_endpoint_it_is_rejected_without_one_here_dropped() -> None:
    one = info(node_port=30080, external_ips=("203.0.113.1",), external_policy_local=True)
    nobody, away = rules(one), rules(one, THERE)
    assert [line.rpartition(" ")[2] for line in nobody] == ["REJECT"] * 3
    assert all('"shop/web:http has no endpoints"' in line for line in nobody)
    dropped = [line for line in away if line.endswith("DROP")]
    assert all('"shop/web:http has no local endpoints"' in line for line in dropped)
    assert [line.split()[1] for line in dropped] == ["KUBE-EXTERNAL-SERVICES"] * 2
    assert "-m addrtype --dst-type LOCAL -m tcp -p tcp --dport 30080" in dropped[1]


@pytest.mark.parametrize(("source", "too"), [("192.168.0.0/24", True), ("203.0.113.0/24", False)])
def test_source_ranges(source: str, too: bool) -> None:
    """A node within them may use the address itself, which is then its packets' source."""
    one = info(load_balancer_vips=("198.51.100.1",), source_ranges=(source,))
    found = rules(one, HERE)
    start = '-A KUBE-FW -m comment --comment "shop/web:http loadbalancer IP" -s'
    assert [line for line in found if line.startswith(start)] == [
        f"{start} {source} -j KUBE-EXT",
        *[f"{start} 198.51.100.1 -j KUBE-EXT"] * too,
    ]
    assert [line for line in found if line.endswith("DROP")] == [
        "-A KUBE-PROXY-FIREWALL -m comment --comment"
        ' "shop/web:http traffic not accepted by KUBE-FW" -m tcp -p tcp -d 198.51.100.1 --dport 80'
        " -j DROP"
    ]


@pytest.mark.parametrize(
    ("settings", "end", "sysctl"),
    [
        ({}, "-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS", True),
        (
            {"localhost_nodeports": "false"},
            "-m addrtype --dst-type LOCAL ! -d 127.0.0.0/8 -j KUBE-NODEPORTS",
            False,
        ),
        ({"nodeport_addresses": "192.168.0.0/24"}, "-d 192.168.0.11 -j KUBE-NODEPORTS", False),
        ({"nodeport_addresses": "127.0.0.0/8"}, "-d 127.0.0.1 -j KUBE-NODEPORTS", True),
        (
            {"nodeport_addresses": "0.0.0.0/0"},
            "-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS",
            True,
        ),
    ],
)
def test_which_addresses_have_node_ports(settings: dict[str, str], end: str, sysctl: bool) -> None:
    node = ProxyNode("n1", ("192.168.0.11",), settings={**MODE.settings, **settings})
    steps = MODE.full(node, {})
    assert text(steps).splitlines()[-2].endswith(end)
    assert (Sysctl("net/ipv4/conf/all/route_localnet", "1") in steps) is sysctl
    assert ("block incoming localnet connections" in text(steps)) is sysctl


@pytest.mark.parametrize(
    "wrong",
    [{"masquerade_all": "yes"}, {"localhost_nodeports": ""}, {"nodeport_addresses": "10.0.0.1/8"}],
)
def test_settings_that_mean_nothing(wrong: dict[str, str]) -> None:
    with pytest.raises(InputError):
        MODE.check({**MODE.settings, **wrong})


def test_a_change_touches_only_what_differs() -> None:
    one, two = view(web=(info(), (HERE,))), view(web=(info(), (HERE, THERE)))
    other = (info(cluster_ip="10.96.0.8"), (HERE,))
    both = view(web=(info(), (HERE, THERE)), other=other)
    _, program = NodeProgram(MODE, NODE).update(one)
    steps, program = program.update(two)
    assert text(steps).splitlines() == [
        "*nat", *CLUSTER_IP[:3], *CLUSTER_IP[4:], "COMMIT",
    ]  # fmt: skip
    steps, program = program.update(both)
    assert "SEP-n1" not in text(steps) and "-I KUBE-SERVICES" in text(steps)
    steps, program = program.update(view(other=other))
    assert text(steps).splitlines() == [
        "*nat", *CLUSTER_IP[:3], CLUSTER_IP[3].replace("-A", "-D"),
        "-X KUBE-SVC", "-X SEP-n1", "-X SEP-n2", "COMMIT",
    ]  # fmt: skip
    assert program.update(view(other=other))[0] == ()


def test_the_last_endpoint_goes() -> None:
    """From nat to filter, in this order: nothing is let through meanwhile that was not before."""
    _, program = NodeProgram(MODE, NODE).update(view(web=(info(), (HERE,))))
    steps, _ = program.update(view(web=(info(), ())))
    filter_, nat = steps
    assert isinstance(filter_, IptablesRestore) and isinstance(nat, IptablesRestore)
    assert filter_.text.startswith("*filter\n-I KUBE-SERVICES ") and "REJECT" in filter_.text
    assert "-D KUBE-SERVICES" in nat.text and f"-X KUBE-SVC-{port_hash(WEB)}" in nat.text


def test_many_endpoints_have_no_comments() -> None:
    many = tuple(Endpoint(f"10.244.{i // 250}.{i % 250 + 1}", 80) for i in range(1001))
    steps, _ = NodeProgram(MODE, NODE).update(view(web=(info(), many)))
    assert '"shop/web:http cluster IP"' in text(steps)
    assert "->" not in text(steps) and "\0" not in text(steps)
