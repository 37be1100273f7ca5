"""EndpointSlices and Endpoints of Services: as Kubernetes' controllers make them."""

from __future__ import annotations

import random
from typing import Any

import pytest
from cluster_builders import _made, apply, delete, deployment, namespace, new, pod
from service_builders import endpoint_slice, endpoints, service, sizes

from testbed.cluster import Cluster
from testbed.cluster.backends import PodStatus
from testbed.cluster.discovery import Discovery, discover
from testbed.cluster.sliceports import sort_slice_ports, sort_subset_ports
from testbed.cluster.subsets import truncate
from testbed.objects import Object

WEB = ("default", "web")
NOT_READY = PodStatus(ready=False)
GOING = PodStatus(terminating=True)


def named(name: str, number: int | None, **spec: Any) -> Object:
    """A pod of ``web`` whose port ``http`` is this one; none for None."""
    ports = [] if number is None else [{"name": "http", "containerPort": number}]
    containers = [{"name": "c", "image": "pause", "ports": ports}]
    return _made(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": "web"}},
            "spec": {"containers": containers, **spec},
        }
    )


def pods(count: int, nodes: int = 1, **options: Any) -> Cluster:
    """A cluster of ``count`` pods of ``web`` with their Service."""
    many = (pod(f"p{i}", labels={"app": "web"}) for i in range(count))
    return apply(new(nodes, **options), service(), *many)


def addresses(found: Discovery, name: str = "web") -> list[list[str]]:
    """The addresses of each slice of a Service."""
    slices = found.slices_of(("default", name))
    return [[address for one in item.endpoints for address in one.addresses] for item in slices]


def conditions(found: Discovery) -> list[tuple[bool, bool, bool]]:
    ((item),) = found.slices_of(WEB)
    return [(one.ready, one.serving, one.terminating) for one in item.endpoints]


# Slices


def test_a_slice_as_the_controller_makes_it() -> None:
    cluster = apply(
        new(2, "twozone"),
        service(labels={"tier": "front", "service.kubernetes.io/headless": "lie"}),
        pod("a", node="n1", labels={"app": "web", "x": "y"}),
        pod("b", node="n1", labels={"app": "other"}),
    )
    (item,) = discover(cluster).slices.values()
    name = item.metadata.name
    assert name.startswith("web-")
    assert len(name) == len("web-") + 5
    assert item.manifest == {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name,
            "generateName": "web-",
            "namespace": "default",
            "labels": {
                "tier": "front",
                "kubernetes.io/service-name": "web",
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            },
            "ownerReferences": [
                {
                    "apiVersion": "v1",
                    "kind": "Service",
                    "name": "web",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": ["10.244.1.2"],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "nodeName": "n1",
                "targetRef": {"kind": "Pod", "namespace": "default", "name": "a"},
                "zone": "a",
            }
        ],
        "ports": [{"name": "", "port": 80, "protocol": "TCP"}],
    }


def test_names_are_the_same_in_every_lab() -> None:
    first, second = (discover(pods(3, nodes)).slices.keys() for nodes in (1, 3))
    assert first == second


def test_the_name_of_a_long_service_is_cut() -> None:
    name = "a" * 63
    ((_, made),) = discover(apply(new(1), service(name))).slices
    assert made[:58] == "a" * 58
    assert len(made) == 63


def test_a_service_without_pods_has_an_empty_slice() -> None:
    found = discover(apply(new(1), service()))
    (item,) = found.slices_of(WEB)
    assert (item.manifest["endpoints"], item.manifest["ports"]) == ([], [])
    # Its name goes on when the first pod comes.
    after = discover(apply(found.cluster, pod("a", labels={"app": "web"})), before=found)
    assert after.slices.keys() == found.slices.keys()
    assert addresses(after) == [["10.244.1.2"]]


@pytest.mark.parametrize(
    "spec",
    [
        {"selector": None},
        {"type": "ExternalName", "externalName": "a.b", "selector": {"app": "web"}},
    ],
)
def test_services_that_have_no_endpoints_of_their_own(spec: dict[str, Any]) -> None:
    found = discover(apply(new(1), service(**spec), pod("a", labels={"app": "web"})))
    assert (found.slices, found.endpoints) == ({}, {})


def test_a_selector_means_all_its_labels_in_its_namespace() -> None:
    cluster = apply(
        new(1),
        namespace("shop"),
        service(selector={"app": "web", "tier": "front"}),
        pod("a", labels={"app": "web"}),
        pod("b", labels={"app": "web", "tier": "front", "more": "x"}),
        pod("c", labels={"app": "web", "tier": "front"}, where="shop"),
    )
    assert addresses(discover(cluster)) == [["10.244.1.3"]]


def test_ports_by_name_make_slices_of_their_own() -> None:
    ports = [{"name": "web", "port": 80, "targetPort": "http"}, {"name": "x", "port": 9}]
    cluster = apply(
        new(1),
        service(ports=ports),
        named("a", 8080),
        named("b", 9090),
        named("c", 8080),
        named("d", None),
    )
    made = discover(cluster).slices_of(WEB)
    assert {
        frozenset((port.name, port.port) for port in item.ports): [
            e.addresses[0] for e in item.endpoints
        ]
        for item in made
    } == {
        frozenset({("x", 9), ("web", 8080)}): ["10.244.1.2", "10.244.1.4"],
        frozenset({("x", 9), ("web", 9090)}): ["10.244.1.3"],
        frozenset({("x", 9)}): ["10.244.1.5"],
    }
    assert len({item.metadata.name for item in made}) == 3


def test_a_named_port_has_its_protocol_and_may_be_a_sidecars() -> None:
    side = {"name": "s", "image": "pause", "restartPolicy": "Always"}
    side["ports"] = [{"name": "dns", "containerPort": 5353, "protocol": "UDP"}]
    ports = [
        {"name": "u", "port": 53, "protocol": "UDP", "targetPort": "dns"},
        {"name": "t", "port": 53, "targetPort": "dns"},
    ]
    cluster = apply(new(1), service(ports=ports), named("a", 80, initContainers=[side]))
    (item,) = discover(cluster).slices_of(WEB)
    assert [(port.name, port.port) for port in item.ports] == [("u", 5353)]


def test_a_headless_service_needs_no_ports() -> None:
    cluster = apply(new(1), service(clusterIP="None", ports=None), pod("a", labels={"app": "web"}))
    found = discover(cluster)
    (item,) = found.slices.values()
    assert item.ports == ()
    assert addresses(found) == [["10.244.1.2"]]
    assert item.metadata.labels["service.kubernetes.io/headless"] == ""
    made = found.endpoints[WEB].manifest
    assert [list(subset) for subset in made["subsets"]] == [["addresses"]]


def test_hostnames_of_pods_in_the_services_subdomain() -> None:
    cluster = apply(
        new(1),
        service(clusterIP="None"),
        named("a", 80, hostname="first", subdomain="web"),
        named("b", 80, hostname="second", subdomain="other"),
    )
    found = discover(cluster)
    (item,) = found.slices.values()
    assert [one.hostname for one in item.endpoints] == ["first", None]
    (subset,) = found.endpoints[WEB].subsets
    assert [address.get("hostname") for address in subset.addresses] == ["first", None]


# How pods do


@pytest.mark.parametrize(
    ("status", "publish", "expected"),
    [
        (PodStatus(), False, (True, True, False)),
        (NOT_READY, False, (False, False, False)),
        (GOING, False, (False, True, True)),
        (PodStatus(ready=False, terminating=True), False, (False, False, True)),
        (NOT_READY, True, (True, False, False)),
        (GOING, True, (True, True, True)),
        (PodStatus(ready=False, ended=True), True, None),
    ],
)
def test_conditions(status: PodStatus, publish: bool, expected: tuple[bool, ...] | None) -> None:
    base = apply(new(1), service(publishNotReadyAddresses=publish), pod("a", labels={"app": "web"}))
    found = discover(base, {("default", "a"): status})
    assert conditions(found) == ([] if expected is None else [expected])


def test_a_pod_that_is_deleted_and_still_runs() -> None:
    before = pods(2)
    after = delete(before, ("Pod", "default", "p0"))
    statuses = {("default", "p0"): GOING}
    leaving = [before.pods["default", "p0"]]
    found = discover(after, statuses, leaving, discover(before))
    assert conditions(found) == [(False, True, True), (True, True, False)]
    assert addresses(discover(after, before=found)) == [["10.244.1.3"]]


@pytest.mark.parametrize(
    ("wish", "zones", "nodes"),
    [
        (None, [], []),
        ("PreferClose", ["a"], []),
        ("PreferSameZone", ["a"], []),
        ("PreferSameNode", ["a"], ["n1"]),
    ],
)
def test_hints(wish: str | None, zones: list[str], nodes: list[str]) -> None:
    web = {"labels": {"app": "web"}, "node": "n1"}
    cluster = apply(
        new(2, "twozone"), service(trafficDistribution=wish), pod("a", **web), pod("b", **web)
    )
    (item,) = discover(cluster, {("default", "b"): NOT_READY}).slices.values()
    ready, other = item.endpoints
    assert (ready.zone_hints, ready.node_hints) == (set(zones), set(nodes))
    assert (other.zone_hints, other.node_hints) == (set(), set())


# Many endpoints


def test_a_hundred_endpoints_a_slice() -> None:
    found = discover(pods(250))
    assert list(sizes(found).values()) == [100, 100, 50]


def test_an_endpoint_stays_in_its_slice() -> None:
    before = discover(pods(250))
    after = discover(delete(before.cluster, ("Pod", "default", "p0")), before=before)
    first, *others = before.slices_of(WEB)
    assert sizes(after) == {**sizes(before), first.metadata.name: 99}
    assert set(map(id, others)) <= set(map(id, after.slices_of(WEB)))
    # A new pod goes where a change is due anyway, or into the fullest slice with room.
    more = apply(after.cluster, pod("more", labels={"app": "web"}))
    again = discover(more, before=after)
    assert sorted(sizes(again).values()) == [50, 100, 100]
    assert sizes(again)[first.metadata.name] == 100


def test_endpoints_are_cut_at_a_thousand_ready_ones_first() -> None:
    def subset(port: int, ready: int, waiting: int) -> dict[str, Any]:
        one, two = ([{"ip": str(i)} for i in range(n)] for n in (ready, waiting))
        both = {"addresses": one, "notReadyAddresses": two, "ports": [{"port": port}]}
        return {name: value for name, value in both.items() if value}

    def counts(subsets: list[dict[str, Any]]) -> list[tuple[int, int]]:
        names = ("addresses", "notReadyAddresses")
        return [tuple(len(s.get(n, ())) for n in names) for s in subsets]

    assert truncate([subset(1, 600, 400)]) is None
    assert counts(truncate([subset(1, 600, 500)]) or []) == [(600, 400)]
    two = truncate([subset(1, 900, 10), subset(2, 300, 0)])
    assert counts(two or []) == [(750, 0), (250, 0)]
    cluster = pods(1001, node_cidr_mask_size=20)
    made = discover(cluster).endpoints[WEB]
    assert len(made.subsets[0].addresses) == 1000
    assert made.metadata.annotations == {"endpoints.kubernetes.io/over-capacity": "truncated"}


# Endpoints


def test_endpoints_of_a_service() -> None:
    ports = [
        {"name": "web", "port": 80, "targetPort": "http"},
        {"name": "alt", "port": 81, "targetPort": 81, "appProtocol": "h2c"},
    ]
    cluster = apply(
        new(1),
        service(ports=ports, labels={"a": "b"}),
        named("a", 8080),
        named("b", 8080),
        named("c", None),
    )
    found = discover(cluster, {("default", "b"): NOT_READY})
    made = found.endpoints[WEB].manifest
    assert made["metadata"]["labels"] == {
        "a": "b",
        "endpoints.kubernetes.io/managed-by": "endpoint-controller",
    }

    def address(number: int, name: str) -> dict[str, Any]:
        target = {"kind": "Pod", "namespace": "default", "name": name}
        return {"ip": f"10.244.1.{number}", "nodeName": "n1", "targetRef": target}

    a, b, c = (address(2 + i, name) for i, name in enumerate("abc"))
    alt = {"name": "alt", "port": 81, "protocol": "TCP", "appProtocol": "h2c"}
    web = {"name": "web", "port": 8080, "protocol": "TCP"}
    assert made["subsets"] == [
        {"addresses": [a, c], "notReadyAddresses": [b], "ports": [alt]},
        {"addresses": [a], "notReadyAddresses": [b], "ports": [web]},
    ]


def test_endpoints_leave_out_pods_that_go_unless_they_are_published_anyway() -> None:
    for publish, expected in ((False, ()), (True, ("10.244.1.2",))):
        web = service(publishNotReadyAddresses=publish)
        cluster = apply(new(1), web, pod("a", labels={"app": "web"}))
        found = discover(cluster, {("default", "a"): PodStatus(ready=False, terminating=True)})
        subsets = found.endpoints[WEB].subsets
        assert tuple(a["ip"] for subset in subsets for a in subset.addresses) == expected


def test_the_order_of_ports_is_the_controllers() -> None:
    """Recorded from ``endpointsliceutil.NewPortMapKey`` of Kubernetes 1.34."""
    names = ["https", "", "p80", "x"]
    ports: dict[str, dict[str, Any]] = {
        "p80": {"name": "p80", "port": 80, "protocol": "TCP"},
        "": {"name": "", "port": 443, "protocol": "UDP", "appProtocol": 'a.b/c d"é'},
        "x": {"name": "x", "protocol": "TCP"},
        "https": {"name": "https", "port": 443, "protocol": "TCP", "appProtocol": "https"},
    }
    assert [port["name"] for port in sort_slice_ports(list(ports.values()))] == names
    assert len(sort_subset_ports([ports["p80"], ports["https"]])) == 2


# Given by hand


def test_endpoints_given_by_hand_are_mirrored() -> None:
    target = {"kind": "Pod", "namespace": "default", "name": "a"}
    given = endpoints(
        "web",
        {
            "addresses": [{"ip": "192.168.0.200", "nodeName": "n1", "targetRef": target}],
            "notReadyAddresses": [{"ip": "192.168.0.201"}, {"ip": "fd00::1", "hostname": "six"}],
            "ports": [{"port": 5432}],
        },
        labels={"x": "y"},
        annotations={"a": "b", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
    )
    cluster = apply(new(1), service(selector=None), given)
    found = discover(cluster)
    four, six = found.slices_of(WEB)
    assert (four.address_type, six.address_type) == ("IPv4", "IPv6")
    assert four.manifest["endpoints"] == [
        {
            "addresses": ["192.168.0.200"],
            "conditions": {"ready": True},
            "nodeName": "n1",
            "targetRef": target,
        },
        {"addresses": ["192.168.0.201"], "conditions": {"ready": False}},
    ]
    assert four.manifest["ports"] == [{"name": "", "port": 5432, "protocol": "TCP"}]
    assert four.metadata.annotations == {"a": "b"}
    assert four.metadata.labels == {
        "x": "y",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
    }
    assert six.endpoints[0].hostname == "six"
    assert found.endpoints[WEB] is cluster.endpoints[WEB]
    changed = endpoints("web", {"addresses": [{"ip": "192.168.0.202"}], "ports": [{"port": 5432}]})
    after = discover(apply(cluster, changed), before=found)
    (item,) = after.slices_of(WEB)
    assert item.metadata.name == four.metadata.name
    assert addresses(after) == [["192.168.0.202"]]


def test_endpoints_that_are_not_mirrored() -> None:
    label = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    subset = {"addresses": [{"ip": "192.168.0.200"}], "ports": [{"port": 80}]}
    skipped = endpoints("web", subset, labels=label)
    assert discover(apply(new(1), service(selector=None), skipped)).slices == {}
    assert discover(apply(new(1), endpoints("nobody", subset))).slices == {}
    # A Service with a selector has Endpoints of its own making.
    found = discover(apply(new(1), service(), endpoints("web", subset)))
    assert found.endpoints[WEB].subsets == ()
    assert sum(sizes(found).values()) == 0


def test_slices_given_by_hand_are_a_services_by_their_label() -> None:
    given = endpoint_slice("mine", "web", {"addresses": ["192.168.0.200"]})
    found = discover(apply(new(1), service(selector=None), given))
    assert addresses(found) == [["192.168.0.200"]]
    assert list(found.slices) == [("default", "mine")]


def test_a_service_that_loses_its_selector_loses_its_pods() -> None:
    found = discover(pods(2))
    after = discover(apply(found.cluster, service(selector=None)), before=found)
    assert (after.slices, after.endpoints) == ({}, {})


# Changes


def content(found: Discovery) -> dict[Any, Any]:
    """What was found, whatever the slices' names and however full they are."""
    return {
        (key, one.addresses, item.ports): one
        for key in found.cluster.services
        for item in found.slices_of(key)
        for one in item.endpoints
    }


@pytest.mark.parametrize("seed", range(5))
def test_a_change_upon_another_gives_what_one_look_at_all_gives(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    cluster = apply(new(2, "twozone"), *(deployment(f"d{i}", 2) for i in range(4)))
    found = discover(cluster)
    for _ in range(30):
        name, other = (f"d{dice.randrange(4)}" for _ in range(2))
        match dice.randrange(5):
            case 0:
                distribution = dice.choice([None, "PreferClose"])
                web = service(name, selector={"app": other}, trafficDistribution=distribution)
                cluster = apply(cluster, web)
            case 1 if ("default", name) in cluster.services:
                cluster = delete(cluster, ("Service", "default", name))
            case 2:
                cluster = apply(cluster, deployment(name, dice.randrange(5)))
            case 3 if cluster.pods:
                cluster = delete(cluster, ("Pod", *dice.choice(list(cluster.pods))))
            case 4:
                subset = {"addresses": [{"ip": f"192.168.0.{dice.randrange(200, 210)}"}]}
                cluster = apply(cluster, service(name, selector=None), endpoints(name, subset))
        sick = {key: NOT_READY for key in cluster.pods if dice.random() < 0.2}
        old, found = found, discover(cluster, sick, (), found)
        assert content(found) == content(discover(cluster, sick))
        assert {key: o.manifest for key, o in found.endpoints.items()} == {
            key: o.manifest for key, o in discover(cluster, sick).endpoints.items()
        }
        same = [key for key in found.made if found.made[key] == old.made.get(key)]
        for key in same:
            slices = zip(found.made[key].slices, old.made[key].slices, strict=True)
            assert all(new is before for new, before in slices)


def test_what_has_not_changed_is_the_very_same() -> None:
    cluster = apply(new(1), service("a"), service("b"), pod("x", labels={"app": "a"}))
    before = discover(cluster)
    after = discover(cluster, {("default", "x"): NOT_READY}, (), before)
    assert after.made["default", "b"] is before.made["default", "b"]
    assert after.made["default", "a"] != before.made["default", "a"]
    again = discover(cluster, {("default", "x"): NOT_READY}, (), after)
    assert all(again.made[key] is after.made[key] for key in again.made)
