"""Pods in their node's network: their address, their ports, what is planned for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cluster_builders import apply, delete, deployment, new, placed, pod

from testbed.cluster import Cluster
from testbed.cluster.hostports import HostPort
from testbed.errors import InputError
from testbed.objects import ADDRESS_ANNOTATION, Object, from_manifest
from testbed.plan.model import Plan
from testbed.plan.wiring import bridged, routed


def host_pod(name: str, *ports: int | dict[str, Any], node: str = "", **spec: Any) -> Object:
    given = [{"containerPort": port} if isinstance(port, int) else port for port in ports]
    made = from_manifest(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "annotations": {ADDRESS_ANNOTATION: '["10.244.9.9"]'}},
            "spec": {
                "hostNetwork": True,
                "containers": [{"name": "c", "image": "pause", "ports": given}],
                **({"nodeName": node} if node else {}),
                **spec,
            },
        }
    )
    assert made is not None
    return made


def test_it_has_its_nodes_address_whatever_it_asks_for_and_takes_none_of_its_share() -> None:
    cluster = apply(new(2), host_pod("a"), pod("b", node="n1"), host_pod("c"))
    assert placed(cluster) == ["a n1 192.168.0.11", "b n1 10.244.1.2", "c n2 192.168.0.12"]
    again = apply(cluster, host_pod("a"))
    assert placed(again) == placed(cluster)


def test_a_node_without_addresses_left_still_takes_it() -> None:
    small = {"pod_cidr": "10.1.0.0/24", "node_cidr_mask_size": 29}
    full = apply(new(1, **small), deployment("web", 5))
    assert placed(apply(full, host_pod("a")))[-1] == "a n1 192.168.0.11"
    with pytest.raises(InputError, match="no node fits"):
        apply(full, pod("b"))


@pytest.mark.parametrize("wire", [bridged, routed])
def test_nothing_connects_it(wire: Callable[[Cluster, int], Plan]) -> None:
    empty = apply(new(2), pod("b", node="n1"))
    assert wire(apply(empty, host_pod("a")), 1450) == wire(empty, 1450)


def test_the_scheduler_goes_where_its_ports_are_free() -> None:
    cluster = apply(new(3), host_pod("a", 80, node="n1"), host_pod("b", 80), host_pod("c", 80))
    assert [one.split()[1] for one in placed(cluster)] == ["n1", "n2", "n3"]
    message = (
        r"no node fits pod 'd': 3 node\(s\) didn't have free ports for the requested pod ports"
    )
    with pytest.raises(InputError, match=message):
        apply(cluster, host_pod("d", 80))
    with pytest.raises(InputError, match=r"1 node\(s\) didn't have free ports"):
        apply(cluster, host_pod("d", 80, node="n2"))
    freed = delete(cluster, ("Pod", "default", "b"))
    assert placed(apply(freed, host_pod("d", 80)))[-1] == "d n2 192.168.0.12"


def test_replicas_of_one_port_need_a_node_each() -> None:
    spec = {
        "hostNetwork": True,
        "containers": [{"name": "c", "image": "pause", "ports": [{"containerPort": 80}]}],
    }
    assert len(apply(new(3), deployment("web", 3, **spec)).pods) == 3
    with pytest.raises(InputError, match="didn't have free ports"):
        apply(new(3), deployment("web", 4, **spec))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (("TCP", "0.0.0.0", 80), ("TCP", "0.0.0.0", 80), True),  # noqa: S104
        (("TCP", "0.0.0.0", 80), ("TCP", "192.168.0.11", 80), True),  # noqa: S104
        (("TCP", "192.168.1.11", 80), ("TCP", "192.168.0.11", 80), False),
        (("TCP", "0.0.0.0", 80), ("UDP", "0.0.0.0", 80), False),  # noqa: S104
        (("TCP", "0.0.0.0", 80), ("TCP", "0.0.0.0", 81), False),  # noqa: S104
    ],
)
def test_which_ports_conflict(
    one: tuple[str, str, int], other: tuple[str, str, int], expected: bool
) -> None:
    assert HostPort(*one).conflicts(HostPort(*other)) is expected
    assert HostPort(*other).conflicts(HostPort(*one)) is expected


def test_a_port_that_nobody_would_forward_is_refused_with_its_field() -> None:
    mapped = {"containerPort": 80, "hostPort": 8080}
    plain = host_pod("a", 1, {**mapped, "containerPort": 8080})
    apply(new(1), plain)
    made = from_manifest(
        {**plain.manifest, "spec": {**plain.manifest["spec"], "hostNetwork": False}}
    )
    assert made is not None
    with pytest.raises(InputError, match="hostPort is not served by this lab") as caught:
        apply(new(1), made)
    assert caught.value.where is not None
    assert caught.value.where.field == "spec.containers[0].ports[0].hostPort"


def test_a_host_port_must_be_the_containers_own() -> None:
    message = (
        r"spec\.containers\[0\]\.ports\[0\]\.hostPort: Invalid value: 8080: "
        "must match `containerPort` when `hostNetwork` is true"
    )
    with pytest.raises(InputError, match=message):
        host_pod("a", {"containerPort": 80, "hostPort": 8080})
