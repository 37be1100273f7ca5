"""The nodes' shares of the pod CIDR, and CIDRs that will not do."""

from __future__ import annotations

from typing import Any

import pytest
from cluster_builders import new

from testbed.cluster.ipam import capacity, gateway
from testbed.errors import InputError

SHARES: list[tuple[int, dict[str, Any], list[str]]] = [
    (3, {}, ["10.244.1.0/24", "10.244.2.0/24", "10.244.3.0/24"]),
    # As many nodes as shares: the last one gets the first share.
    (2, {"pod_cidr": "10.1.0.0/23"}, ["10.1.1.0/24", "10.1.0.0/24"]),
    (1, {"pod_cidr": "10.1.0.0/24"}, ["10.1.0.0/24"]),
    (2, {"pod_cidr": "10.1.0.0/16", "node_cidr_mask_size": 30}, ["10.1.0.4/30", "10.1.0.8/30"]),
]


@pytest.mark.parametrize(("nodes", "options", "shares"), SHARES)
def test_shares(nodes: int, options: dict[str, Any], shares: list[str]) -> None:
    assert [node.pod_cidr for node in new(nodes, **options).nodes] == shares


def test_a_node_is_the_topologys_host_with_kubernetes_labels() -> None:
    node = new(topology="twozone", nodes=2).nodes[0]
    assert (node.name, node.namespace, node.address, node.device) == (
        "n1",
        "node/n1",
        "192.168.1.11",
        "n1-eth0",
    )
    assert node.labels == {
        "kubernetes.io/hostname": "n1",
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/zone": "a",
    }


def test_system_namespaces_are_there() -> None:
    assert list(new().namespaces) == ["default", "kube-node-lease", "kube-public", "kube-system"]


@pytest.mark.parametrize(
    ("cidr", "first", "room"),
    [("10.244.1.0/24", "10.244.1.1", 253), ("10.1.0.4/30", "10.1.0.5", 1)],
)
def test_the_first_address_is_the_gateways(cidr: str, first: str, room: int) -> None:
    assert (gateway(cidr), capacity(cidr)) == (first, room)


RANGES = "Pods, Services, load balancers and the underlay need ranges of their own."
ERRORS = [
    (
        {"pod_cidr": "10.244.1.0/16"},
        "--set: pod_cidr: '10.244.1.0/16' is no IPv4 network: 10.244.1.0/16 has host bits set\n"
        "  Write it like 10.244.0.0/16.",
    ),
    (
        {"service_cidr": "ten"},
        "--set: service_cidr: 'ten' is no IPv4 network: Expected 4 octets in 'ten'\n"
        "  Write it like 10.244.0.0/16.",
    ),
    (
        {"pod_cidr": "10.244.0.0/33"},
        "--set: pod_cidr: '10.244.0.0/33' is no IPv4 network: '33' is not a valid netmask\n"
        "  Write it like 10.244.0.0/16.",
    ),
    (
        {"pod_cidr": "10.96.0.0/16"},
        f"--set: pod_cidr: 10.96.0.0/16 overlaps service_cidr 10.96.0.0/12\n  {RANGES}",
    ),
    (
        {"pod_cidr": "192.168.0.0/16"},
        "--set: pod_cidr: 192.168.0.0/16 overlaps the underlay of single 192.168.0.0/24\n"
        f"  {RANGES}",
    ),
    (
        {"service_cidr": "192.168.0.0/24"},
        "--set: service_cidr: 192.168.0.0/24 overlaps the underlay of single 192.168.0.0/24\n"
        f"  {RANGES}",
    ),
    (
        {"pod_cidr": "10.244.0.0/23"},
        "--set: pod_cidr: pod_cidr 10.244.0.0/23 has 2 shares of /24 for 3 nodes\n"
        "  Take a larger pod_cidr or a larger node_cidr_mask_size.",
    ),
    (
        {"pod_cidr": "10.244.0.0/25"},
        "--set: node_cidr_mask_size: a node's share /24 does not fit into pod_cidr 10.244.0.0/25\n"
        "  Give a prefix length from 25 to 30, or a larger pod_cidr.",
    ),
    (
        {"node_cidr_mask_size": 31},
        "--set: node_cidr_mask_size: a node's share /31 does not fit into pod_cidr 10.244.0.0/16\n"
        "  Give a prefix length from 16 to 30, or a larger pod_cidr.",
    ),
]


@pytest.mark.parametrize(("options", "message"), ERRORS)
def test_ranges_that_will_not_do(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        new(3, **options)
    assert str(caught.value) == message


def test_a_netmask_is_written_as_a_prefix_length() -> None:
    options = new(1, pod_cidr="10.1.0.0/255.255.0.0", service_cidr="10.2.0.0/0.0.255.255").options
    assert (options.pod_cidr, options.service_cidr) == ("10.1.0.0/16", "10.2.0.0/16")
