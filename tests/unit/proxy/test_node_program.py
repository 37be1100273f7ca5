"""What every proxy mode has from the program: only what differs is done; stale UDP is forgotten."""

from __future__ import annotations

import pytest

from testbed.cluster.serviceview import Endpoint, ProxyView, ServicePortInfo, ServicePortName
from testbed.proxy.contract import Forget, ProxyNode, modes
from testbed.proxy.program import NodeProgram

UDP = ServicePortName("kube-system", "kube-dns", "dns", "UDP")
TCP = ServicePortName("kube-system", "kube-dns", "dns-tcp", "TCP")
A, B = Endpoint("10.244.1.2", 53, "n1"), Endpoint("10.244.2.2", 53, "n2")
GOING = Endpoint("10.244.1.2", 53, "n1", ready=False, serving=True, terminating=True)
DEAD = Endpoint("10.244.1.2", 53, "n1", ready=False, serving=False, terminating=True)


def view(name: ServicePortName, *endpoints: Endpoint) -> ProxyView:
    info = ServicePortInfo("10.96.0.10", 53, name.protocol, 30053, ("203.0.113.9",))
    return ProxyView({name: info}, {name: endpoints})


def forgotten(*views: ProxyView) -> Forget | None:
    """The forgetting that the last of several views brings."""
    mode = modes.get("iptables")
    program = NodeProgram(mode, ProxyNode("n1", ("192.168.0.11",), settings=mode.settings))
    for one in views:
        steps, program = program.update(one)
    found = [step for step in steps if isinstance(step, Forget)]
    assert found in ([], list(steps[-1:])), "after the rules: else new packets make new entries"
    return found[0] if found else None


@pytest.mark.parametrize(
    ("before", "after", "stale"),
    [
        ((A, B), (B,), True),
        ((A, B), (DEAD, B), True),
        ((), (B,), True),
        ((A,), (A, B), False),
        ((A, B), (GOING, B), False),
        ((A,), (), False),
    ],
    ids=["gone", "does not serve", "the first", "one more", "still serves", "none left"],
)
def test_udp_connections_to_endpoints_that_do_not_serve(
    before: tuple[Endpoint, ...], after: tuple[Endpoint, ...], stale: bool
) -> None:
    found = forgotten(view(UDP, *before), view(UDP, *after))
    if not stale:
        assert found is None
        return
    left = frozenset((one.ip, one.port) for one in after if one.serving)
    assert found == Forget({("10.96.0.10", 53): left, ("203.0.113.9", 53): left}, {30053: left})


def test_tcp_connections_are_left_alone() -> None:
    assert forgotten(view(TCP, A, B), view(TCP, B)) is None


def test_a_program_that_failed_starts_from_what_it_had() -> None:
    mode = modes.get("iptables")
    fresh = NodeProgram(mode, ProxyNode("n1", ("192.168.0.11",), settings=mode.settings))
    _, loaded = fresh.update(view(TCP, A))
    failed, _ = loaded.update(view(TCP, A, B))
    again, _ = loaded.update(view(TCP, A, B))
    assert failed == again != ()


def test_what_no_node_sees_does_nothing() -> None:
    """An endpoint that is not used changes no rule."""
    mode = modes.get("iptables")
    fresh = NodeProgram(mode, ProxyNode("n1", ("192.168.0.11",), settings=mode.settings))
    _, program = fresh.update(view(TCP, A))
    assert program.update(view(TCP, A, Endpoint("10.244.3.3", 53, "n3", ready=False)))[0] == ()


def test_without_a_proxy_nothing_is_done() -> None:
    program = NodeProgram(modes.get("none"), ProxyNode("n1", ("192.168.0.11",)))
    for one in (view(TCP, A), view(TCP, B)):
        steps, program = program.update(one)
        assert steps == ()


@pytest.mark.parametrize("name", modes.names())
def test_a_program_that_is_prepared_does_the_same(name: str) -> None:
    mode = modes.get(name)
    node = ProxyNode("n1", ("192.168.0.11",), settings=mode.settings)
    found = []
    for prepared in (False, True):
        _, program = NodeProgram(mode, node).update(view(TCP, A))
        if prepared:
            program.prepare()
        found.append(program.update(view(TCP, A, B))[0])
    assert found[0] == found[1]
