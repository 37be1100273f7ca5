"""Services by real connections: who answers at which address, to whom, in each proxy mode."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from labs import RunningLab, StartLab
from servicetraffic import LOCAL, NODE, PODS, SECOND, Flow, ask, check, prepare, service

pytestmark = pytest.mark.e2e

MODES = ("iptables",)
TYPE = {"type": "LoadBalancer", "externalIPs": ["203.0.113.1"]}
TERMINATING = {"ready": False, "serving": True, "terminating": True}
RANGES = ["192.168.0.128/25"]

SERVICES = "\n---\n".join(
    [
        PODS,
        service(
            "both", ["local-0", "remote-0"], clusterIP="10.96.9.1", type="LoadBalancer",
            externalIPs=["203.0.113.1"], loadBalancerIP="198.51.100.11", nodePort=30001,
        ),
        service(
            "external-local", ["local-0", "local-1", "remote-0"], clusterIP="10.96.9.2",
            type="LoadBalancer", externalIPs=["203.0.113.2"], loadBalancerIP="198.51.100.12",
            nodePort=30002, externalTrafficPolicy="Local",
        ),
        service(
            "external-none", ["remote-0"], clusterIP="10.96.9.3", type="LoadBalancer",
            externalIPs=["203.0.113.3"], loadBalancerIP="198.51.100.13", nodePort=30003,
            externalTrafficPolicy="Local",
        ),
        service(
            "internal-none", ["remote-0"], clusterIP="10.96.9.4", type="NodePort",
            nodePort=30004, internalTrafficPolicy="Local",
        ),
        service(
            "nobody", [], clusterIP="10.96.9.5", type="LoadBalancer",
            externalIPs=["203.0.113.5"], loadBalancerIP="198.51.100.15", nodePort=30005,
        ),
        service(
            "ranges", ["local-0"], clusterIP="10.96.9.6", type="LoadBalancer", nodePort=30006,
            loadBalancerIP="198.51.100.16", loadBalancerSourceRanges=RANGES,
        ),
        service(
            "others", ["local-0"], clusterIP="10.96.9.7", type="LoadBalancer", nodePort=30007,
            loadBalancerIP="198.51.100.17", loadBalancerSourceRanges=["10.244.0.0/16"],
        ),
        service(
            "going", [{"addresses": ["10.244.1.12"], "nodeName": "n1", "conditions": TERMINATING}],
            clusterIP="10.96.9.8",
        ),
        service("datagrams", ["local-3", "remote-2"], "UDP", clusterIP="10.96.9.9",
                type="NodePort", nodePort=30009),
        service("three", ["local-1", "remote-0", "remote-1"], clusterIP="10.96.9.10"),
        service("alone", ["local-3"], clusterIP="10.96.9.11"),
    ]
)  # fmt: skip

BOTH, LOCALS = ("local-0", "remote-0"), ("local-0", "local-1")
FLOWS = (
    Flow("cluster IP", "pod", "10.96.9.1", 80, BOTH, False),
    Flow("cluster IP from the node", "node", "10.96.9.1", 80, BOTH, False),
    Flow("cluster IP from outside", "client", "10.96.9.1", 80, BOTH, True),
    Flow("external IP", "pod", "203.0.113.1", 80, BOTH, True),
    Flow("external IP", "client", "203.0.113.1", 80, BOTH, True),
    Flow("load balancer", "pod", "198.51.100.11", 80, BOTH, True),
    Flow("load balancer", "client", "198.51.100.11", 80, BOTH, True),
    Flow("node port", "pod", NODE, 30001, BOTH, True),
    Flow("node port", "node", NODE, 30001, BOTH, True),
    Flow("node port", "client", NODE, 30001, BOTH, True),
    Flow("Local: cluster IP", "pod", "10.96.9.2", 80, (*LOCALS, "remote-0"), False),
    Flow("Local: pods go anywhere", "pod", "198.51.100.12", 80, (*LOCALS, "remote-0"), False),
    Flow("Local: the node goes anywhere", "node", NODE, 30002, (*LOCALS, "remote-0"), True),
    Flow("Local: external IP", "client", "203.0.113.2", 80, LOCALS, False),
    Flow("Local: load balancer", "client", "198.51.100.12", 80, LOCALS, False),
    Flow("Local: node port", "client", NODE, 30002, LOCALS, False),
    Flow("none here", "client", "203.0.113.3", 80, otherwise="silent"),
    Flow("none here", "client", "198.51.100.13", 80, otherwise="silent"),
    Flow("none here", "client", NODE, 30003, otherwise="silent"),
    Flow("none here, from a pod", "pod", "198.51.100.13", 80, ("remote-0",), False),
    Flow("none here, from the node", "node", NODE, 30003, ("remote-0",), True),
    Flow("internal, none here", "pod", "10.96.9.4", 80, otherwise="silent"),
    Flow("internal, from outside", "client", NODE, 30004, ("remote-0",), True),
    Flow("nobody", "pod", "10.96.9.5", 80),
    Flow("nobody", "node", "10.96.9.5", 80),
    Flow("nobody", "pod", NODE, 30005),
    Flow("nobody", "pod", "198.51.100.15", 80),
    Flow("nobody", "client", "203.0.113.5", 80),
    Flow("nobody", "client", "198.51.100.15", 80),
    Flow("nobody", "client", NODE, 30005),
    Flow("allowed", "client", "198.51.100.16", 80, ("local-0",), True),
    Flow("not allowed", "pod", "198.51.100.16", 80, otherwise="silent"),
    Flow("not allowed", "client", "198.51.100.17", 80, otherwise="silent"),
    Flow("allowed", "pod", "198.51.100.17", 80, ("local-0",), True),
    Flow("node ports have no ranges", "client", NODE, 30007, ("local-0",), True),
    Flow("better than none", "pod", "10.96.9.8", 80, ("local-2",), False),
    Flow("UDP", "pod", "10.96.9.9", 80, ("local-3", "remote-2"), False, protocol="UDP"),
    Flow("UDP", "client", NODE, 30009, ("local-3", "remote-2"), True, protocol="UDP"),
)
LOCALHOST = (
    Flow("node port on localhost", "localhost", "127.0.0.1", 30001, BOTH, True),
    Flow("Local on localhost", "localhost", "127.0.0.1", 30002, (*LOCALS, "remote-0"), True),
    Flow("second address of the node", "client", SECOND, 30001, BOTH, True),
)
"""As iptables has them; modes differ in which of the node's addresses have node ports."""


@pytest.fixture(
    scope="module", params=[f"{cni} {mode}" for mode in MODES for cni in ("vxlan", "bgp")]
)
def running(request: pytest.FixtureRequest, shared_lab: StartLab) -> RunningLab:
    cni, mode = request.param.split()
    found = shared_lab(
        cni=cni, manifests=(SERVICES,), options=("--proxy", mode), settings=("nodes=2",)
    )
    prepare(found)
    return found


def test_each_address_leads_where_it_should(running: RunningLab) -> None:
    assert not check(running, FLOWS)


def test_node_ports_on_all_addresses(running: RunningLab) -> None:
    assert not check(running, LOCALHOST)


def test_a_pod_reaches_itself_through_its_service(running: RunningLab) -> None:
    """Masqueraded: an answer from itself to itself would not come back the same way."""
    probe = {"protocol": "TCP", "address": "10.96.9.11", "port": 80, "tries": 1, "want": []}
    [[outcome]] = ask(running, "default/local-3", [probe])
    assert outcome[:2] == ["answered", "local-3"]
    assert outcome[2] != LOCAL["local-3"]


def changing(running: RunningLab, *servers: str, protocol: str = "TCP", **spec: object) -> None:
    """Makes or changes the Service ``changing``."""
    text = service("changing", servers, protocol, clusterIP="10.96.9.20", **spec)
    running.run("apply", "-f", "-", text=text)


@pytest.fixture
def gone(running: RunningLab) -> Iterator[None]:
    """The Service ``changing`` is deleted after the test."""
    yield
    running.run("delete", "endpointslice", "changing-1")
    running.run("delete", "service", "changing")


@pytest.mark.usefixtures("gone")
def test_changes_are_there_when_apply_returns(running: RunningLab) -> None:
    def flow(*servers: str) -> Flow:
        return Flow("changing", "pod", "10.96.9.20", 80, servers, False)

    for servers in (("local-0",), ("local-0", "remote-0"), ("remote-1",), (), ("local-2",)):
        changing(running, *servers)
        assert not check(running, [flow(*servers)])


@pytest.mark.usefixtures("gone")
def test_a_client_keeps_its_endpoint(running: RunningLab) -> None:
    three = ("local-1", "remote-0", "remote-1")
    probe = {"protocol": "TCP", "address": "10.96.9.20", "port": 80, "tries": 1, "want": []}

    def servers(source: str) -> set[str]:
        """Who answers 21 connections; the first one is alone, as it is the one that chooses."""
        answers = ask(running, source, [probe]) + ask(running, source, [{**probe, "copies": 20}])
        return {outcome[1] for [outcome] in answers}

    changing(running, *three, sessionAffinity="ClientIP")
    (found,) = servers("pod")
    assert len(servers("default/local-0")) == len(servers("default/local-2")) == 1
    assert servers("pod") == {found}
    left = {*three} - {found}
    changing(running, *sorted(left), sessionAffinity="ClientIP")
    (other,) = servers("pod")  # its endpoint has gone: it gets another one
    assert other in left


@pytest.mark.usefixtures("gone")
def test_a_udp_client_is_not_sent_to_an_endpoint_that_is_gone(running: RunningLab) -> None:
    """From the same port, so that the kernel knows the connection if it has not forgotten it."""
    probe = {"protocol": "UDP", "address": "10.96.9.20", "port": 80, "tries": 1, "want": []}

    def answers() -> str:
        [[outcome]] = ask(running, "pod", [{**probe, "source_port": 4444}])
        return outcome[1]

    changing(running, "local-0", protocol="UDP")
    assert answers() == "local-0"
    changing(running, "local-0", "remote-0", protocol="UDP")
    assert [answers() for _ in range(5)] == ["local-0"] * 5  # an endpoint more moves nobody
    changing(running, "remote-0", protocol="UDP")
    assert answers() == "remote-0"
