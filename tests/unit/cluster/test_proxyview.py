"""What proxies see, and which endpoints a node uses."""

from __future__ import annotations

import dataclasses

import pytest
from cluster_builders import apply, delete, new, pod
from service_builders import bound, endpoint_slice, endpoints, service

from testbed.cluster.backends import PodStatus
from testbed.cluster.categorize import Categorized, categorize, distinct
from testbed.cluster.discovery import discover
from testbed.cluster.proxyview import Seen, proxy_view
from testbed.cluster.serviceview import Endpoint, ServicePortInfo, ServicePortName
from testbed.objects import from_manifest

WEB = ServicePortName("default", "web", "", "TCP")


def test_names_as_kube_proxy_writes_them() -> None:
    assert str(WEB) == "default/web"
    assert str(WEB._replace(port="http")) == "default/web:http"
    assert str(Endpoint("10.244.1.2", 80)) == "10.244.1.2:80"


def test_a_port_with_all_that_a_service_can_have() -> None:
    cluster = apply(
        new(1),
        service(
            type="LoadBalancer",
            ports=[{"name": "http", "port": 80, "targetPort": 8080, "nodePort": 30_500}],
            externalIPs=["192.168.07.7", "fd00::1"],
            loadBalancerSourceRanges=[" 10.1.2.3/8", "fd00::/8"],
            sessionAffinity="ClientIP",
            sessionAffinityConfig={"clientIP": {"timeoutSeconds": 60}},
            internalTrafficPolicy="Local",
            externalTrafficPolicy="Local",
        ),
    )
    view = proxy_view(discover(cluster))
    assert view.services == {
        WEB._replace(port="http"): ServicePortInfo(
            cluster_ip="10.96.1.1",
            port=80,
            protocol="TCP",
            node_port=30_500,
            external_ips=("192.168.7.7",),
            load_balancer_vips=("198.51.100.1",),
            affinity_seconds=60,
            source_ranges=("10.0.0.0/8",),
            health_check_node_port=30_086,
            external_policy_local=True,
            internal_policy_local=True,
        )
    }
    assert view.endpoints == {WEB._replace(port="http"): ()}


def test_a_plain_port() -> None:
    view = proxy_view(discover(apply(new(1), service())))
    assert view.services == {WEB: ServicePortInfo("10.96.1.1", 80, "TCP")}


def test_affinity_is_three_hours_if_nothing_else_is_said() -> None:
    view = proxy_view(discover(apply(new(1), service(sessionAffinity="ClientIP"))))
    assert view.services[WEB].affinity_seconds == 10_800


def test_what_is_no_business_of_a_proxy() -> None:
    cluster = apply(
        new(1),
        service("headless", clusterIP="None"),
        service("outer", type="ExternalName", externalName="example.com"),
        *(endpoint_slice("x", name, {"addresses": ["10.0.0.1"]}) for name in ("nobody",)),
    )
    view = proxy_view(discover(cluster))
    assert (view.services, view.endpoints) == ({}, {})


@pytest.mark.parametrize("name", ["service-proxy-name", "headless"])
def test_what_is_labelled_as_another_proxys(name: str) -> None:
    label = {f"service.kubernetes.io/{name}": "x"}
    slice_ = endpoint_slice("web", "web", {"addresses": ["10.0.0.9"]})
    cluster = apply(new(1), service(selector=None), slice_)
    view = proxy_view(discover(cluster))
    assert view.endpoints == {WEB: (Endpoint("10.0.0.9", 80),)}
    metadata = {**slice_.manifest["metadata"], "labels": {**slice_.metadata.labels, **label}}
    other = from_manifest({**slice_.manifest, "metadata": metadata})
    view = proxy_view(discover(apply(cluster, other)), view)
    assert view.endpoints == {WEB: ()}
    cluster = apply(cluster, service(selector=None, labels=label))
    assert proxy_view(discover(cluster), view).services == {}


def test_endpoints_of_all_slices_in_the_order_of_their_text() -> None:
    ends = {"addresses": [{"ip": "10.0.0.9"}, {"ip": "10.0.0.10"}], "ports": [{"port": 80}]}
    more = endpoint_slice(
        "mine",
        "web",
        {"addresses": ["010.0.0.011"], "conditions": {"ready": False}, "zone": "a"},
        {"addresses": ["10.0.0.9"], "nodeName": "n1", "hints": {"forZones": [{"name": "a"}]}},
        ports=[{"port": 80}, {"name": "other", "port": 81}, {"name": "u", "protocol": "UDP"}],
    )
    six = endpoint_slice("six", "web", {"addresses": ["fd00::1"]}, addressType="IPv6")
    cluster = apply(new(1), service(selector=None), endpoints("web", ends), more, six)
    assert proxy_view(discover(cluster)).endpoints == {
        WEB: (
            Endpoint("10.0.0.10", 80),
            Endpoint("10.0.0.11", 80, ready=False),
            Endpoint("10.0.0.9", 80),
            Endpoint("10.0.0.9", 80, "n1", zone_hints=frozenset("a")),
        )
    }


def test_a_view_is_frozen() -> None:
    view = proxy_view(discover(apply(new(1), service())))
    with pytest.raises(dataclasses.FrozenInstanceError):
        view.services[WEB].port = 81


# Changes


def seen(*objects: object) -> Seen:
    return proxy_view(discover(apply(new(1), *objects)))


def test_a_change_makes_anew_only_what_has_changed() -> None:
    first = seen(service("a"), service("b"), pod("x", labels={"app": "a"}))
    assert first.discovery is not None
    cluster = apply(first.discovery.cluster, service("c"))
    found = discover(cluster, before=first.discovery)
    second = proxy_view(found, first)
    assert second == proxy_view(found)
    assert {str(name) for name in second.changed(first)} == {"default/c"}
    name = ServicePortName("default", "a", "", "TCP")
    assert second.services[name] is first.services[name]
    assert second.endpoints[name] is first.endpoints[name]

    sick = {("default", "x"): PodStatus(ready=False)}
    third = proxy_view(discover(cluster, sick, (), found), second)
    assert third.changed(second) == {name}
    assert [one.ready for one in third.endpoints[name]] == [False]
    assert third.services[name] is second.services[name]


def test_ports_and_services_that_go() -> None:
    both = [{"name": "a", "port": 1}, {"name": "b", "port": 2}]
    first = seen(service(ports=both), service("other"))
    assert first.discovery is not None
    found = discover(
        apply(first.discovery.cluster, service(ports=both[:1])), before=first.discovery
    )
    second = proxy_view(found, first)
    assert [str(name) for name in second.changed(first)] == ["default/web:b"]
    gone = discover(delete(found.cluster, ("Service", "default", "web")), before=found)
    third = proxy_view(gone, second)
    assert [str(name) for name in third.services] == ["default/other"]
    assert third.services.keys() == third.endpoints.keys()
    assert third == proxy_view(gone)


def test_slices_by_hand_that_come_change_and_go() -> None:
    view = seen(service(selector=None))
    for address in ("10.0.0.1", "10.0.0.2", None):
        assert view.discovery is not None
        cluster = view.discovery.cluster
        if address is None:
            cluster = delete(cluster, ("EndpointSlice", "default", "mine"))
        else:
            cluster = apply(cluster, endpoint_slice("mine", "web", {"addresses": [address]}))
        view = proxy_view(discover(cluster, before=view.discovery), view)
        assert [one.ip for one in view.endpoints[WEB]] == [address] * (address is not None)


def test_an_address_of_a_load_balancer_alone_is_a_change() -> None:
    first = seen(service(type="LoadBalancer"))
    assert first.discovery is not None
    moved = service(type="LoadBalancer", loadBalancerIP="203.0.113.9")
    cluster = apply(first.discovery.cluster, moved)
    assert bound(cluster).load_balancer == ("203.0.113.9",)
    second = proxy_view(discover(cluster, before=first.discovery), first)
    assert second.changed(first) == {WEB}


# Which endpoints a node uses

HERE, THERE = Endpoint("10.0.0.1", 80, "n1"), Endpoint("10.0.0.2", 80, "n2")
PLAIN = ServicePortInfo("10.96.1.1", 80, "TCP")
INTERNAL = dataclasses.replace(PLAIN, internal_policy_local=True)
EXTERNAL = dataclasses.replace(PLAIN, external_policy_local=True, node_port=30_086)


def sick(one: Endpoint) -> Endpoint:
    return dataclasses.replace(one, ready=False, serving=False)


def going(one: Endpoint) -> Endpoint:
    return dataclasses.replace(one, ready=False, terminating=True)


def hint(one: Endpoint, zones: str = "", nodes: tuple[str, ...] = ()) -> Endpoint:
    hints = {"zone_hints": frozenset(zones), "node_hints": frozenset(nodes)}
    return dataclasses.replace(one, **hints)


def near(zone: str, *nodes: str) -> tuple[Endpoint, Endpoint]:
    """Both endpoints, each hinted for a zone, and for a node if there are any."""
    own = nodes or ((), ())
    return tuple(
        hint(one, z, (n,) if n else ()) for one, z, n in zip((HERE, THERE), zone, own, strict=True)
    )


CASES = {
    "none": (PLAIN, (), Categorized()),
    "none ready": (PLAIN, (sick(HERE),), Categorized()),
    "all": (PLAIN, (HERE, THERE), Categorized((HERE, THERE), (), (HERE, THERE), True)),
    "ready ones": (PLAIN, (HERE, sick(THERE)), Categorized((HERE,), (), (HERE,), True)),
    "ready before going": (PLAIN, (going(HERE), THERE), Categorized((THERE,), (), (THERE,), True)),
    "going if none is ready": (
        PLAIN,
        (going(HERE), sick(THERE)),
        Categorized((going(HERE),), (), (going(HERE),), True),
    ),
    "internal": (INTERNAL, (HERE, THERE), Categorized((), (HERE,), (HERE,), True)),
    "internal, none here": (INTERNAL, (THERE,), Categorized((), (), (), True)),
    "internal, none at all": (INTERNAL, (sick(THERE),), Categorized()),
    "internal, going here": (
        INTERNAL,
        (going(HERE), THERE),
        Categorized((), (going(HERE),), (going(HERE),), True),
    ),
    "external": (EXTERNAL, (HERE, THERE), Categorized((HERE, THERE), (HERE,), (HERE, THERE), True)),
    "external, going here": (
        EXTERNAL,
        (going(HERE), THERE),
        Categorized((THERE,), (going(HERE),), (going(HERE), THERE), True),
    ),
    "internal and reached from outside": (
        dataclasses.replace(INTERNAL, node_port=30_086),
        (HERE, THERE),
        Categorized((HERE, THERE), (HERE,), (HERE, THERE), True),
    ),
    "external policy without a way in": (
        dataclasses.replace(EXTERNAL, node_port=0),
        (HERE, THERE),
        Categorized((HERE, THERE), (), (HERE, THERE), True),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_categories(name: str) -> None:
    info, ends, expected = CASES[name]
    assert categorize(info, ends, "n1") == expected


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        (near("ab"), "a"),
        (near("bb"), "both"),  # none for here
        ((near("ab")[0], THERE), "both"),  # one without a hint
        ((near("ab")[0], sick(THERE)), "a"),  # of those that are ready
        (near("aa", "n1", "n2"), "a"),  # the node's come before the zone's
        (near("aa", "n2", "n3"), "both"),  # none for this node: the zone's
    ],
)
def test_hints(ends: tuple[Endpoint, Endpoint], expected: str) -> None:
    chosen = categorize(PLAIN, ends, "n1", "a").cluster
    assert chosen == (ends if expected == "both" else ends[:1])


def test_hints_do_not_matter_to_local_traffic() -> None:
    far = near("ba")
    found = categorize(EXTERNAL, far, "n1", "a")
    assert found == Categorized(far[1:], far[:1], far, True)


def test_one_address_in_two_slices() -> None:
    twin = dataclasses.replace(THERE, ip=HERE.ip)
    assert distinct((twin, HERE), "n1") == (HERE,)
    assert distinct((HERE, twin), "n1") == (HERE,)
    assert distinct((HERE, twin), "n3") == (HERE,)
    assert distinct((HERE, twin, THERE), "n2") == (twin, THERE)
