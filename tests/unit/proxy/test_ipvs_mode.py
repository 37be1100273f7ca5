"""Proxy mode ipvs: virtual servers, entries of sets, addresses; and the netlink messages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest
from pyroute2.netlink.generic.ipvs import ipvsmsg
from pyroute2.netlink.nfnetlink.ipset import ipset_msg
from randomviews import views

from testbed.cluster.categorize import categorize
from testbed.cluster.serviceview import Endpoint, ProxyView, ServicePortInfo, ServicePortName
from testbed.errors import InputError
from testbed.kernel import ipvsmessages as messages
from testbed.proxy.contract import IptablesRestore, ProxyNode, Step, modes
from testbed.proxy.ipvs import Ipvs, SetEntry, VirtualServer
from testbed.proxy.modes._ipvs_fragment import Fragment
from testbed.proxy.program import NodeProgram
from testbed.proxy.shell import render

MODE = modes.get("ipvs")
NODE = ProxyNode("n1", ("192.168.0.11",), settings=MODE.settings)
WEB = ServicePortName("shop", "web", "http", "TCP")
TLS = ServicePortName("shop", "web", "https", "TCP")
HERE, THERE = Endpoint("10.244.1.2", 8080, "n1"), Endpoint("10.244.2.2", 8080, "n2")


def info(**changes: object) -> ServicePortInfo:
    known: dict[str, object] = {"cluster_ip": "10.96.0.7", "port": 80, "protocol": "TCP"}
    return ServicePortInfo(**{**known, **changes})  # type: ignore[arg-type]


def fragment(one: ServicePortInfo, *endpoints: Endpoint) -> Fragment:
    found = MODE.service(NODE, WEB, one, categorize(one, endpoints, "n1"))
    assert isinstance(found, Fragment)
    return found


def real(one: Fragment) -> dict[str, list[str]]:
    return {f"{s.address}:{s.port}": [ip for ip, _ in s.real] for s in one.servers}


def test_a_cluster_ip() -> None:
    found = fragment(info(affinity_seconds=60), HERE, THERE)
    at = (("10.244.1.2", 8080), ("10.244.2.2", 8080))
    assert found.servers == (VirtualServer("10.96.0.7", 80, "TCP", "rr", 60, at),)
    assert found.addresses == ("10.96.0.7",)
    assert found.entries == (
        SetEntry("KUBE-LOOP-BACK", "10.244.1.2", 8080, "TCP", "10.244.1.2"),
        SetEntry("KUBE-CLUSTER-IP", "10.96.0.7", 80, "TCP"),
        SetEntry("KUBE-IPVS-IPS", "10.96.0.7"),
    )


def test_policy_local_falls_back_to_other_nodes() -> None:
    one = info(node_port=30001, external_ips=("203.0.113.1",), external_policy_local=True)
    cluster, node, external = "10.96.0.7:80", "192.168.0.11:30001", "203.0.113.1:80"
    both = [HERE.ip, THERE.ip]
    assert real(fragment(one, HERE, THERE)) == {
        cluster: both, external: [HERE.ip], node: [HERE.ip]
    }  # fmt: skip
    assert real(fragment(one, THERE)) == {x: [THERE.ip] for x in (cluster, external, node)}
    names = {entry.name for entry in fragment(one, HERE).entries}
    assert {"KUBE-NODE-PORT-TCP", "KUBE-NODE-PORT-LOCAL-TCP", "KUBE-EXTERNAL-IP-LOCAL"} <= names


def test_an_address_of_the_node_is_not_bound() -> None:
    assert fragment(info(external_ips=("192.168.0.11",))).addresses == ("10.96.0.7",)


@pytest.mark.parametrize("protocol", ["TCP", "UDP", "SCTP"])
@pytest.mark.parametrize(
    ("ranges", "there"), [("", True), ("0.0.0.0/0", True), ("192.168.0.0/24,10.0.0.0/8", True),
                          ("10.0.0.0/8", False), ("127.0.0.0/8", False)],
)  # fmt: skip
def test_a_node_without_addresses_for_node_ports_has_none(
    protocol: str, ranges: str, there: bool
) -> None:
    """And not the port of its health check either (``syncProxyRules``: ``continue``)."""
    node = replace(NODE, settings={**MODE.settings, "nodeport_addresses": ranges})
    one = info(protocol=protocol, node_port=30001, health_check_node_port=32001)
    found = MODE.service(node, WEB, one, categorize(one, (HERE,), "n1"))
    assert isinstance(found, Fragment)
    ports = {entry.port for entry in found.entries} | {server.port for server in found.servers}
    assert ports >= {80}
    assert ({30001, 32001} <= ports) is there
    assert bool({30001, 32001} & ports) is there


def test_source_ranges() -> None:
    one = info(load_balancer_vips=("198.51.100.1",), source_ranges=("192.168.0.0/24",))
    cidrs = [e.source for e in fragment(one).entries if e.name == "KUBE-LOAD-BALANCER-SOURCE-CIDR"]
    assert cidrs == ["192.168.0.0/24"]
    assert not fragment(one).rules
    [rule] = fragment(
        info(load_balancer_vips=("198.51.100.1",), source_ranges=("10.0.0.0/8",))
    ).rules
    assert rule.startswith("KUBE-IPVS-OUT-FILTER -s 198.51.100.1 -m ipvs")


def test_a_change_is_what_has_changed_and_shared_things_stay() -> None:
    program = NodeProgram(MODE, NODE)
    web, tls = info(external_ips=("203.0.113.1",)), info(port=443)
    _, program = program.update(ProxyView({WEB: web, TLS: tls}, {WEB: (HERE,), TLS: (HERE,)}))
    steps, program = program.update(ProxyView({TLS: tls}, {TLS: (HERE,)}))
    [step] = (one for one in steps if isinstance(one, Ipvs))
    assert not any(isinstance(one, IptablesRestore) for one in steps)
    assert step.gone_addresses == ("203.0.113.1",)
    assert {entry.name for entry in step.gone_entries} == {
        "KUBE-CLUSTER-IP", "KUBE-EXTERNAL-IP", "KUBE-IPVS-IPS"
    }  # fmt: skip
    assert SetEntry("KUBE-IPVS-IPS", "10.96.0.7") not in step.gone_entries
    assert [one.port for one in step.old] == [80, 80]
    assert not (step.new or step.entries or step.addresses)


def test_unknown_schedulers_are_refused() -> None:
    MODE.check({**MODE.settings, "ipvs_scheduler": "sed"})
    with pytest.raises(InputError, match="no scheduler"):
        MODE.check({**MODE.settings, "ipvs_scheduler": "best"})


def test_messages_of_ipvs() -> None:
    one = VirtualServer("10.96.0.7", 80, "UDP", "wlc", 60, ())
    decoded = ipvsmsg(messages.server(30, messages.NEW_SERVICE, one))
    decoded.decode()
    service = decoded.get_attr("IPVS_CMD_ATTR_SERVICE")
    assert decoded["cmd"] == messages.NEW_SERVICE
    assert service.get_attr("IPVS_SVC_ATTR_ADDR") == "10.96.0.7"
    assert service.get_attr("IPVS_SVC_ATTR_PORT") == 80
    assert service.get_attr("IPVS_SVC_ATTR_SCHED_NAME") == "wlc"
    assert service.get_attr("IPVS_SVC_ATTR_TIMEOUT") == 60


def test_messages_of_sets() -> None:
    one = SetEntry("S", "10.96.0.7", 80, "TCP", "10.0.0.0/8")
    decoded = ipset_msg(messages.entry(messages.ADD, one))
    decoded.decode()
    assert decoded.get_attr("IPSET_ATTR_SETNAME") == "S"
    data = decoded.get_attr("IPSET_ATTR_DATA")
    assert data.get_attr("IPSET_ATTR_PORT_FROM") == 80
    assert data.get_attr("IPSET_ATTR_PROTO") == 6
    assert data.get_attr("IPSET_ATTR_CIDR2") == 8


def test_of_two_that_claim_an_address_one_has_it_and_the_other_inherits_it() -> None:
    """Whichever came first; the one whose cluster IP it is goes before, then the name's order."""
    early, late = ServicePortName("a", "x", "", "TCP"), ServicePortName("b", "x", "", "TCP")
    first = info(cluster_ip="10.96.0.8", external_ips=("203.0.113.1",))
    second = info(cluster_ip="10.96.0.9", external_ips=("203.0.113.1",))
    shared = ("203.0.113.1", 80, "TCP")

    def view(*names: ServicePortName) -> ProxyView:
        known = {early: (first, HERE), late: (second, THERE)}
        return ProxyView(
            {name: known[name][0] for name in names}, {name: (known[name][1],) for name in names}
        )

    def servers(program: NodeProgram, *names: ServicePortName) -> tuple[Ipvs, NodeProgram]:
        steps, program = program.update(view(*names))
        [step] = (one for one in steps if isinstance(one, Ipvs) and not one.sets)
        return step, program

    _, program = servers(NodeProgram(MODE, NODE), late)
    step, program = servers(program, early, late)
    assert {one.key: one.real for one in step.new}[shared] == (("10.244.1.2", 8080),)
    assert {one.key: one.real for one in step.old}[shared] == (("10.244.2.2", 8080),)
    step, program = servers(program, late)
    assert {one.key: one.real for one in step.new} == {shared: (("10.244.2.2", 8080),)}
    assert "203.0.113.1" not in step.gone_addresses
    assert SetEntry("KUBE-EXTERNAL-IP", *shared) not in step.gone_entries


def test_a_load_as_commands() -> None:
    program = NodeProgram(MODE, NODE)
    one = info(node_port=30001, affinity_seconds=60)
    steps, _ = program.update(ProxyView({WEB: one}, {WEB: (HERE,)}))
    text = render({"node/n1": steps})
    for line in (
        "-A -t 10.96.0.7:80 -s rr -p 60",
        "-a -t 192.168.0.11:30001 -r 10.244.1.2:8080 -m -w 1",
        "create KUBE-NODE-PORT-TCP bitmap:port range 0-65535",
        "add KUBE-LOOP-BACK 10.244.1.2,tcp:8080,10.244.1.2",
        "add KUBE-NODE-PORT-TCP 30001",
        "ip -n n1 address add 10.96.0.7/32 dev kube-ipvs0",
    ):
        assert f"\n{line}\n" in text


def contested(view: ProxyView) -> ProxyView:
    """The view, with external addresses that several ports claim."""

    def claim(one: ServicePortInfo) -> ServicePortInfo:
        shared = f"203.0.113.{len(one.load_balancer_vips) + one.affinity_seconds % 7}"
        return replace(one, external_ips=(shared,), load_balancer_vips=(), source_ranges=())

    claims = {n: claim(one) if one.external_ips else one for n, one in view.services.items()}
    return ProxyView(claims, view.endpoints)


@pytest.mark.parametrize("seed", range(10))
def test_random_changes_lead_to_what_a_full_load_makes(seed: int) -> None:
    program, state = NodeProgram(MODE, NODE), State()
    for view in map(contested, views(seed, steps=8)):
        steps, program = program.update(view)
        state.apply(steps)
        whole = State()
        whole.apply(NodeProgram(MODE, NODE).update(view)[0])
        assert state == whole


@dataclass
class State:
    """What a kernel has."""

    servers: dict[tuple[str, int, str], VirtualServer] = field(default_factory=dict)
    entries: set[SetEntry] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)

    def apply(self, steps: Iterable[Step]) -> None:
        for one in steps:
            if isinstance(one, Ipvs):
                gone = {old.key for old in one.old} - {new.key for new in one.new}
                assert all(self.servers[old.key] == old for old in one.old)
                kept = {key: s for key, s in self.servers.items() if key not in gone}
                self.servers = kept | {new.key: new for new in one.new}
                self.entries = (self.entries | {*one.entries}) - {*one.gone_entries}
                self.addresses = (self.addresses | {*one.addresses}) - {*one.gone_addresses}
