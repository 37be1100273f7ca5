"""The nftables modes by real connections: what all modes have in common, and what differs.

The questions of :mod:`test_service_traffic` are asked here, too; where kube-proxy's nftables mode
answers otherwise than iptables, this has the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from labs import RunningLab, StartLab
from servicetraffic import LOCAL, NODE, SECOND, Flow, ask, check, prepare, service
from test_service_traffic import FLOWS, SERVICES

pytestmark = pytest.mark.e2e

LABS = ("vxlan nftables", "vxlan nftables-flat", "bgp nftables-flat")
"""CNI modes and proxy modes: pods at a bridge and pods with routes."""

AFFINITY: dict[str, Any] = {
    "sessionAffinity": "ClientIP",
    "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 600}},
}
MORE = "\n---\n".join(
    [
        service(
            "sticky", ["local-0", "local-1", "remote-0", "remote-1"], clusterIP="10.96.9.20",
            type="LoadBalancer", externalIPs=["203.0.113.20"], nodePort=30020, **AFFINITY,
        ),
        service(
            "sticky-local", ["local-0", "local-1", "remote-0"], clusterIP="10.96.9.21",
            type="LoadBalancer", loadBalancerIP="198.51.100.21", nodePort=30021,
            externalTrafficPolicy="Local", **AFFINITY,
        ),
        service("sticky-udp", ["local-2", "remote-2"], "UDP", clusterIP="10.96.9.22", **AFFINITY),
    ]
)  # fmt: skip
DIFFERENT = (
    Flow("another port of a cluster IP", "pod", "10.96.9.1", 81),
    Flow("another port of a cluster IP", "client", "10.96.9.1", 81),
    Flow("another port of a cluster IP", "node", "10.96.9.1", 81),
    Flow("an address that no Service has", "pod", "10.96.9.200", 80, otherwise="silent"),
    Flow("an address that no Service has", "client", "10.96.9.200", 80, otherwise="silent"),
    Flow("node port on localhost", "localhost", "127.0.0.1", 30001),
    Flow("second address of the node", "client", SECOND, 30001),
    Flow("another port of the node", "client", NODE, 30999),
)


@pytest.fixture(scope="module", params=LABS)
def running(request: pytest.FixtureRequest, shared_lab: StartLab) -> RunningLab:
    cni, mode = request.param.split()
    manifests = (SERVICES, MORE)
    found = shared_lab(
        cni=cni, manifests=manifests, options=("--proxy", mode), settings=("nodes=2",)
    )
    prepare(found)
    return found


def who(lab: RunningLab, source: str, address: str, times: int, **more: Any) -> list[str]:
    """The servers that answer a number of connections, one after the other."""
    probe = {"protocol": "TCP", "address": address, "port": 80, **more}
    (outcomes,) = ask(lab, source, [{**probe, "tries": times, "want": ["nobody"]}])
    assert len(outcomes) == times
    assert {one[0] for one in outcomes} == {"answered"}
    return [one[1] for one in outcomes]


def test_each_address_leads_where_it_should(running: RunningLab) -> None:
    assert not check(running, (*FLOWS, *DIFFERENT))


def test_a_pod_reaches_itself_through_its_service(running: RunningLab) -> None:
    """Masqueraded: an answer from itself to itself would not come back the same way."""
    probe = {"protocol": "TCP", "address": "10.96.9.11", "port": 80, "tries": 1, "want": []}
    [[outcome]] = ask(running, "default/local-3", [probe])
    assert outcome[:2] == ["answered", "local-3"]
    assert outcome[2] != LOCAL["local-3"]


def test_a_client_stays_at_its_endpoint_whichever_address_it_uses(running: RunningLab) -> None:
    (first, *others) = who(running, "client", "10.96.9.20", 6)
    assert set(others) == {first}
    assert set(who(running, "client", "203.0.113.20", 3)) == {first}
    assert set(who(running, "client", NODE, 3, port=30020)) == {first}
    assert len(set(who(running, "pod", "10.96.9.20", 6))) == 1
    udp = who(running, "pod", "10.96.9.22", 6, protocol="UDP")
    assert len(set(udp)) == 1


def test_clients_are_spread_over_sticky_endpoints(running: RunningLab) -> None:
    """Each pod is a client of its own; seven of them at one of four endpoints: once in 4,096."""
    clients = [f"default/{name}" for name in ("asker", *LOCAL)]
    seen = {who(running, client, "203.0.113.20", 1)[0] for client in clients}
    seen |= {who(running, source, "10.96.9.20", 1)[0] for source in ("client", "node")}
    assert len(seen) > 1


def test_affinity_with_policy_local(running: RunningLab) -> None:
    """A client from outside stays on the node, a pod may have stayed anywhere before."""
    outside = who(running, "client", "198.51.100.21", 6)
    assert len(set(outside)) == 1
    assert outside[0] in ("local-0", "local-1")
    (inside,) = set(who(running, "pod", "10.96.9.21", 6))
    assert set(who(running, "pod", "198.51.100.21", 4)) == {inside}


def _with(endpoints: Sequence[str]) -> str:
    return service("kept", endpoints, clusterIP="10.96.9.23", **AFFINITY)


def test_a_session_lasts_as_long_as_its_endpoint(running: RunningLab) -> None:
    """Others come and go, before and after it; then it goes itself."""
    everyone = ["local-0", "local-1", "local-2", "remote-0", "remote-1", "remote-2"]
    apply = ("apply", "-f", "-")
    running.run(*apply, text=_with(everyone[1:5]))
    (first,) = set(who(running, "client", "10.96.9.23", 4))
    others = [name for name in everyone if name != first]
    for some in (everyone, [first, *others[3:]], [*others[:2], first], [first], everyone):
        running.run(*apply, text=_with(some))
        assert set(who(running, "client", "10.96.9.23", 3)) == {first}
    running.run(*apply, text=_with(others))
    (second,) = set(who(running, "client", "10.96.9.23", 4))
    assert second in others
    running.run("delete", "svc", "kept")
    running.run("delete", "endpointslice", "kept-1")


SETTINGS = ("nodeport_addresses=0.0.0.0/0", "detect_local=false", "nodes=2")
WITHOUT_DETECTION = (
    Flow("node port on any address", "client", SECOND, 30001, ("local-0", "remote-0"), True),
    Flow("but not on localhost", "localhost", "127.0.0.1", 30001),
    Flow("nobody, on any address", "client", SECOND, 30005),
    Flow("cluster IP", "pod", "10.96.9.1", 80, ("local-0", "remote-0"), False),
    Flow("cluster IP, from outside", "client", "10.96.9.11", 80, ("local-3",), False),
    Flow("Local: pods stay", "pod", "198.51.100.12", 80, ("local-0", "local-1"), False),
    Flow("Local: none here", "pod", "198.51.100.13", 80, otherwise="silent"),
    Flow("Local: the node goes anywhere", "node", NODE, 30003, ("remote-0",), True),
)


@pytest.mark.parametrize("mode", ["nftables", "nftables-flat"])
def test_without_knowing_where_pods_are(lab: StartLab, mode: str) -> None:
    """And with node ports on all addresses of the node."""
    running = lab(manifests=(SERVICES,), options=("--proxy", mode), settings=SETTINGS)
    prepare(running)
    assert not check(running, WITHOUT_DETECTION)


def test_everything_masqueraded(lab: StartLab) -> None:
    options, settings = ("--proxy", "nftables-flat"), ("masquerade_all=true", "nodes=2")
    running = lab(manifests=(SERVICES,), options=options, settings=settings)
    prepare(running)
    flow = Flow("cluster IP", "pod", "10.96.9.1", 80, ("local-0", "remote-0"), True)
    assert not check(running, (flow,))
