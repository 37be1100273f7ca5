"""What nodes tell at health check node ports, and at which of their addresses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from testbed.cluster.serviceview import Endpoint, ProxyView, ServicePortInfo, ServicePortName
from testbed.proxy.contract import ProxyNode, modes
from testbed.proxy.servicehealth import EVERYWHERE, Check, addresses, answer, checks

KEY = ("default", "web")
HTTP = ServicePortName("default", "web", "http", "TCP")
HTTPS = ServicePortName("default", "web", "https", "TCP")
OTHER = ServicePortName("default", "other", "", "TCP")
INFO = ServicePortInfo("10.96.0.5", 80, "TCP", health_check_node_port=30001)
PLAIN = ServicePortInfo("10.96.0.6", 80, "TCP")
HERE = Endpoint("10.244.1.2", 8080, "n1")
ALSO_HERE = Endpoint("10.244.1.3", 8080, "n1")
THERE = Endpoint("10.244.2.2", 8080, "n2")
GOING = replace(ALSO_HERE, ready=False, terminating=True)
NOWHERE = replace(THERE, node=None)
VIEW = ProxyView(
    {HTTP: INFO, HTTPS: replace(INFO, port=443), OTHER: PLAIN},
    {HTTP: (HERE, GOING, NOWHERE), HTTPS: (replace(HERE, port=8443),), OTHER: (THERE,)},
)


def test_only_services_that_want_it_are_told_of_and_an_address_counts_once() -> None:
    found = checks(VIEW, {}, VIEW.services)
    assert found == {KEY: Check(30001, {"n1": 1}, frozenset({HTTP, HTTPS}))}


def test_a_change_of_one_port_counts_the_other_ones_too() -> None:
    before = checks(VIEW, {}, VIEW.services)
    more = ProxyView(VIEW.services, {**VIEW.endpoints, HTTP: (HERE, ALSO_HERE, THERE)})
    assert checks(more, before, {HTTP})[KEY].endpoints == {"n1": 2, "n2": 1}
    none = ProxyView(VIEW.services, {**VIEW.endpoints, HTTP: (GOING,)})
    assert checks(none, before, {HTTP})[KEY].endpoints == {"n1": 1}  # by its other port


def test_it_goes_with_the_service_or_with_its_wish() -> None:
    before = checks(VIEW, {}, VIEW.services)
    gone = ProxyView({OTHER: PLAIN}, {OTHER: ()})
    assert checks(gone, before, {HTTP, HTTPS}) == {}
    no_more = {HTTP: replace(INFO, health_check_node_port=0), HTTPS: replace(PLAIN, port=443)}
    assert checks(ProxyView(no_more, {}), before, {HTTP, HTTPS}) == {}


def test_what_has_not_changed_is_kept() -> None:
    before = checks(VIEW, {}, VIEW.services)
    assert checks(VIEW, before, ())[KEY] is before[KEY]


@pytest.mark.parametrize(
    ("endpoints", "healthy", "status"), [(2, True, "200"), (0, True, "503"), (2, False, "503")]
)
def test_the_answer(endpoints: int, healthy: bool, status: str) -> None:
    head, _, body = answer(KEY, endpoints, healthy=healthy).decode().partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert f"X-Load-Balancing-Endpoint-Weight: {endpoints}" in head.split("\r\n")
    assert f"Content-Length: {len(body)}" in head
    assert body == (
        '{\n\t"service": {\n\t\t"namespace": "default",\n\t\t"name": "web"\n\t},\n'
        f'\t"localEndpoints": {endpoints},\n'
        f'\t"serviceProxyHealthy": {str(healthy).lower()}\n}}'
    )
    assert answer(KEY, endpoints, healthy=healthy, body=False).decode() == head + "\r\n\r\n"


@pytest.mark.parametrize(
    ("mode", "ranges", "expected"),
    [
        ("iptables", "", (EVERYWHERE,)),
        ("nftables", "", ("192.168.0.11",)),
        ("nftables-flat", "", ("192.168.0.11",)),
        ("nftables", "0.0.0.0/0", (EVERYWHERE,)),
        ("nftables", "192.168.1.0/24", ("192.168.1.11",)),
        ("iptables", "192.168.1.0/24,127.0.0.0/8", ("192.168.1.11", "127.0.0.1")),
        ("iptables", "10.9.0.0/16", (EVERYWHERE,)),
    ],
)
def test_where_a_node_listens(mode: str, ranges: str, expected: tuple[str, ...]) -> None:
    settings = {"nodeport_addresses": ranges} if ranges else {}
    node = ProxyNode("n1", ("192.168.0.11", "192.168.1.11"), settings=settings)
    assert addresses(modes.get(mode), node) == expected
