"""What Services are given, keep, and may not change."""

from __future__ import annotations

from typing import Any

import pytest
from cluster_builders import apply, delete, namespace, new
from service_builders import bound, endpoints, service, spec_of

from testbed.errors import InputError
from testbed.objects import Object

DNS = [
    {"name": "tcp", "port": 53, "protocol": "TCP"},
    {"name": "udp", "port": 53, "protocol": "UDP"},
]
HEALTH = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}


def node_ports(cluster: Any, name: str = "web") -> list[int]:
    return [port.node_port for port in bound(cluster, name).service.spec.ports]


def ip(cluster: Any, name: str = "web") -> str:
    (found,) = bound(cluster, name).service.spec.cluster_ips
    return str(found)


# Cluster IPs


def test_cluster_ips_come_from_the_upper_band_lowest_first() -> None:
    cluster = apply(new(1), service("a"), service("b"), service("c"))
    assert [ip(cluster, name) for name in "abc"] == ["10.96.1.1", "10.96.1.2", "10.96.1.3"]
    assert spec_of(cluster, "a")["ipFamilies"] == ["IPv4"]
    assert spec_of(cluster, "a")["ipFamilyPolicy"] == "SingleStack"


@pytest.mark.parametrize(
    ("cidr", "first"),
    [
        ("10.96.0.0/12", "10.96.1.1"),  # 256 for those who ask
        ("10.96.0.0/20", "10.96.1.1"),
        ("10.96.0.0/21", "10.96.0.129"),  # a sixteenth
        ("10.96.0.0/24", "10.96.0.17"),  # 16
        ("10.96.0.0/28", "10.96.0.2"),  # too small for bands
    ],
)
def test_the_band_for_those_who_ask(cidr: str, first: str) -> None:
    assert ip(apply(new(1, service_cidr=cidr), service())) == first


def test_the_lower_band_is_taken_last_and_then_the_range_is_full() -> None:
    cluster = new(1, service_cidr="10.96.0.0/27")  # 16 for those who ask, 14 for others
    cluster = apply(cluster, *(service(f"s{i}") for i in range(14)))
    assert ip(cluster, "s13") == "10.96.0.30"
    cluster = apply(cluster, *(service(f"t{i}") for i in range(15)))
    assert [ip(cluster, "t0"), ip(cluster, "t14")] == ["10.96.0.2", "10.96.0.16"]
    with pytest.raises(InputError, match="failed to allocate a serviceIP: range is full"):
        apply(cluster, service("more"))


def test_who_asks_comes_first() -> None:
    cluster = apply(new(1), service("a"), service("b", clusterIP="10.96.1.1"))
    assert (ip(cluster, "a"), ip(cluster, "b")) == ("10.96.1.2", "10.96.1.1")


def test_an_address_is_what_it_means_not_how_it_is_written() -> None:
    cluster = apply(new(1), service("a", clusterIP="10.096.0.09"))
    assert ip(cluster, "a") == "10.96.0.9"
    assert apply(cluster, service("a", clusterIP="10.96.0.9")) == cluster


def test_the_first_address_is_the_api_servers() -> None:
    cluster = apply(new(1, service_cidr="10.96.0.0/28"), service("a"), service("kubernetes"))
    assert ip(cluster, "kubernetes") == "10.96.0.1"
    again = apply(new(1), service("kubernetes", clusterIP="10.96.0.1"))
    assert ip(again, "kubernetes") == "10.96.0.1"
    with pytest.raises(InputError, match="already allocated"):
        apply(new(1), service("other", clusterIP="10.96.0.1"))
    with pytest.raises(InputError, match="already allocated"):
        shop = service("kubernetes", "shop", clusterIP="10.96.0.1")
        apply(new(1), namespace("shop"), shop)


def test_what_is_deleted_is_free_again() -> None:
    cluster = apply(new(1), service("a", type="NodePort"), service("b", type="NodePort"))
    assert (ip(cluster, "a"), node_ports(cluster, "a")) == ("10.96.1.1", [30086])
    cluster = apply(delete(cluster, ("Service", "default", "a")), service("c", type="NodePort"))
    assert (ip(cluster, "c"), node_ports(cluster, "c")) == ("10.96.1.1", [30086])


def test_deleting_a_service_deletes_its_endpoints_and_a_namespace_both() -> None:
    cluster = apply(new(1), service("a", selector=None), endpoints("a"), endpoints("b"))
    left = delete(cluster, ("Service", "default", "a"))
    assert list(left.endpoints) == [("default", "b")]
    cluster = apply(new(1), namespace("shop"), service("a", "shop"), service("a"))
    assert list(delete(cluster, ("Namespace", "", "shop")).services) == [("default", "a")]


def test_services_without_a_cluster_ip() -> None:
    cluster = apply(
        new(1),
        service("headless", clusterIP="None"),
        service("bare", clusterIP="None", selector=None),
        service("outer", type="ExternalName", externalName="example.com"),
        service("next"),
    )
    assert spec_of(cluster, "headless")["clusterIPs"] == ["None"]
    assert spec_of(cluster, "headless")["ipFamilies"] == ["IPv4"]
    assert spec_of(cluster, "bare")["ipFamilyPolicy"] == "RequireDualStack"
    assert spec_of(cluster, "bare")["ipFamilies"] == ["IPv4", "IPv6"]
    assert not {"clusterIP", "ipFamilies"} & spec_of(cluster, "outer").keys()
    assert ip(cluster, "next") == "10.96.1.1"


# Node ports


def test_node_ports_come_from_the_upper_band_and_both_protocols_share_one() -> None:
    cluster = apply(
        new(1), service("dns", type="NodePort", ports=DNS), service("web", type="NodePort")
    )
    assert node_ports(cluster, "dns") == [30086, 30086]
    assert node_ports(cluster) == [30087]


def test_an_asked_node_port_is_shared_too() -> None:
    ports = [DNS[0], {**DNS[1], "nodePort": 31_000}]
    assert node_ports(apply(new(1), service(type="NodePort", ports=ports))) == [31_000, 31_000]


def test_a_load_balancer_may_do_without_node_ports() -> None:
    ports = [{"name": "a", "port": 1}, {"name": "b", "port": 2, "nodePort": 30_001}]
    without = service(type="LoadBalancer", ports=ports, allocateLoadBalancerNodePorts=False)
    assert node_ports(apply(new(1), without)) == [0, 30_001]


def test_the_health_checks_node_port() -> None:
    cluster = apply(new(1), service(**HEALTH), service("b", **HEALTH, healthCheckNodePort=30_005))
    assert bound(cluster).service.spec.health_check_node_port == 30_087
    assert bound(cluster, "b").service.spec.health_check_node_port == 30_005


def test_all_node_ports_can_be_given() -> None:
    ports = [{"name": f"p{i}", "port": 1 + i} for i in range(2768)]
    cluster = apply(new(1), service(type="NodePort", ports=ports))
    given = node_ports(cluster)
    assert sorted(given) == list(range(30_000, 32_768))
    assert given.index(30_000) == 2768 - 86
    with pytest.raises(InputError, match="failed to allocate a nodePort: range is full"):
        apply(cluster, service("more", type="NodePort"))


# Load balancers


def test_load_balancers_get_addresses() -> None:
    kind = {"type": "LoadBalancer"}
    cluster = apply(
        new(1),
        service("a", **kind),
        service("b", **kind, loadBalancerIP="198.51.100.1"),
        service(
            "c", **kind, annotations={"metallb.io/loadBalancerIPs": "203.0.113.7, 203.0.113.8"}
        ),
        service("d", **kind, loadBalancerIP="203.0.113.7"),
        service("e", **kind, loadBalancerClass="other.io/lb"),
    )
    assert {key[1]: bound.load_balancer for key, bound in cluster.services.items()} == {
        "a": ("198.51.100.2",),
        "b": ("198.51.100.1",),
        "c": ("203.0.113.7", "203.0.113.8"),
        "d": (),  # taken
        "e": (),  # not ours
    }
    cluster = delete(cluster, ("Service", "default", "b"))
    again = apply(cluster, service("a", **kind, labels={"x": "y"}), service("d", **kind))
    assert bound(again, "a").load_balancer == ("198.51.100.2",)
    assert bound(again, "d").load_balancer == ("198.51.100.1",)
    assert bound(apply(again, service("a")), "a").load_balancer == ()


# Changes


def test_applying_again_changes_nothing_and_keeps_the_very_values() -> None:
    given = [service("a", type="NodePort", ports=DNS), service("b", **HEALTH), service("c")]
    once = apply(new(1), *given)
    twice = apply(once, *given)
    assert twice == once
    assert all(twice.services[key] is once.services[key] for key in once.services)


def test_a_changed_service_keeps_what_was_allocated() -> None:
    before = apply(new(1), service(type="NodePort", ports=DNS))
    ports = [{**DNS[0], "port": 54}, DNS[1], {"name": "more", "port": 80}]
    after = apply(before, service(type="NodePort", ports=ports, sessionAffinity="ClientIP"))
    assert ip(after) == ip(before)
    # The third is new; both others have the node port of the port of their name. It was one port
    # in two protocols, and stays so.
    assert node_ports(after) == [30086, 30086, 30087]


def test_a_port_of_another_protocol_that_comes_later_gets_a_node_port_of_its_own() -> None:
    before = apply(new(1), service(type="NodePort", ports=DNS[:1]))
    assert node_ports(apply(before, service(type="NodePort", ports=DNS))) == [30086, 30087]


def test_types_may_change() -> None:
    outer = service(type="ExternalName", externalName="example.com")
    cluster = apply(new(1), service(type="NodePort"), service("b"))
    plain = apply(cluster, service())
    assert (ip(plain), node_ports(plain)) == ("10.96.1.1", [0])
    assert node_ports(apply(plain, service(type="NodePort", ports=DNS))) == [30086, 30087]
    away = apply(cluster, outer)
    assert "clusterIP" not in spec_of(away)
    assert ip(apply(away, service("c")), "c") == "10.96.1.1"
    assert ip(apply(away, service(clusterIP="10.96.0.7"))) == "10.96.0.7"


def test_one_may_take_what_another_gives_up_at_the_same_time() -> None:
    first = {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30_500}]}
    cluster = apply(new(1), service("a", **first))
    after = apply(cluster, service("b", **first), service("a"))
    assert (node_ports(after, "a"), node_ports(after, "b")) == ([0], [30_500])


def test_nothing_changes_when_one_of_several_is_refused() -> None:
    cluster = apply(new(1), service("a"))
    with pytest.raises(InputError):
        apply(
            cluster, service("b"), service("c", clusterIP="10.0.0.1"), service("a", type="NodePort")
        )
    assert list(cluster.services) == [("default", "a")]
    assert node_ports(cluster, "a") == [0]


ONCE = "may not change once set"
TAKEN = "provided port is already allocated"
RANGE = "provided port is not in the valid range. The range of valid ports is 30000-32767"
IP_RANGE = "is not in the valid range. The range of valid IPs is 10.96.0.0/12"
REFUSED = [
    (service("b", clusterIP="10.96.1.1"), 'spec.clusterIPs: Invalid value: ["10.96.1.1"]: '
     "failed to allocate IP 10.96.1.1: provided IP is already allocated"),
    (service("b", clusterIP="10.112.0.1"), 'spec.clusterIPs: Invalid value: ["10.112.0.1"]: '
     f"failed to allocate IP 10.112.0.1: the provided IP (10.112.0.1) {IP_RANGE}"),
    (service("b", clusterIP="10.96.0.0"), 'spec.clusterIPs: Invalid value: ["10.96.0.0"]: '
     f"failed to allocate IP 10.96.0.0: the provided IP (10.96.0.0) {IP_RANGE}"),
    (service("b", type="NodePort", ports=[{"port": 80, "nodePort": 80}]),
     f"spec.ports[0].nodePort: Invalid value: 80: {RANGE}"),
    (service("b", type="NodePort", ports=[{"port": 80, "nodePort": 32_768}]),
     f"spec.ports[0].nodePort: Invalid value: 32768: {RANGE}"),
    (service("b", type="NodePort", ports=[{"port": 80, "nodePort": 30_086}]),
     f"spec.ports[0].nodePort: Invalid value: 30086: {TAKEN}"),
    (service("b", type="NodePort", ports=[{"port": 80, "nodePort": 30_086, "protocol": "UDP"}]),
     f"spec.ports[0].nodePort: Invalid value: 30086: {TAKEN}"),
    (service("b", **HEALTH, healthCheckNodePort=30_086), "spec.healthCheckNodePort: "
     f"failed to allocate requested HealthCheck NodePort 30086: {TAKEN}"),
    (service("a", clusterIP="10.96.0.9"),
     f'spec.clusterIPs[0]: Invalid value: ["10.96.0.9"]: {ONCE}'),
    (service("a", clusterIP="None"), f'spec.clusterIPs[0]: Invalid value: ["None"]: {ONCE}'),
    (service("h", clusterIP="10.96.0.9"),
     f'spec.clusterIPs[0]: Invalid value: ["10.96.0.9"]: {ONCE}'),
    (service("lb", **HEALTH, healthCheckNodePort=30_300),
     "spec.healthCheckNodePort: Forbidden: field is immutable"),
    (service("lb", **HEALTH, loadBalancerClass="a.io/b"),
     f'spec.loadBalancerClass: Invalid value: "a.io/b": {ONCE}'),
    (service("b", clusterIP="fd00::1"), 'spec.clusterIPs[0]: Invalid value: ["fd00::1"]: '
     "IPv6 is not configured on this cluster"),
    (service("b", ipFamilies=["IPv6"]),
     'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'),
    (service("b", ipFamilyPolicy="RequireDualStack"), "spec.ipFamilyPolicy: Invalid value: "
     '"RequireDualStack": this cluster is not configured for dual-stack services'),
    (service("b", ipFamilyPolicy="SingleStack", ipFamilies=["IPv4", "IPv6"]),
     'spec.ipFamilyPolicy: Invalid value: "SingleStack": must be \'RequireDualStack\' or '
     "'PreferDualStack' when multiple IP families are specified"),
]  # fmt: skip


@pytest.mark.parametrize(("item", "message"), REFUSED)
def test_what_is_refused(item: Object, message: str) -> None:
    cluster = apply(
        new(1),
        service("a", type="NodePort"),
        service("h", clusterIP="None"),
        service("lb", **HEALTH),
    )
    with pytest.raises(InputError) as caught:
        apply(cluster, item)
    assert str(caught.value) == f"{item.source.file}: {message}"


def test_two_that_ask_for_the_same_at_the_same_time() -> None:
    with pytest.raises(InputError, match="provided IP is already allocated"):
        apply(new(1), *(service(name, clusterIP="10.96.0.9") for name in "ab"))
