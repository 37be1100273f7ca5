"""The resolv.conf of pods: policies, merging and limits; and the cases of the shared data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from testbed.dns.resolvconf import Kubelet, ResolvConf, of_pod
from testbed.objects.dnsconfig import DnsConfig

SHARED = Path(__file__).parents[4] / "shared/conformance/dns.json"
CASES = json.loads(SHARED.read_text())["resolvconf"] if SHARED.exists() else []

NODE = ResolvConf(("192.0.2.1",), ("corp.example",), ("timeout:3",))
KUBELET = Kubelet(NODE, ("10.96.0.10",), "cluster.local")
CLUSTER = ("prod.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example")
NOTHING = DnsConfig()


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["id"]))
def test_shared_case(case: dict[str, Any]) -> None:
    node = ResolvConf(**{key: tuple(value) for key, value in case["node"].items()})
    kubelet = Kubelet(node, tuple(case["clusterDNS"]), case["clusterDomain"])
    config = DnsConfig.decode(case.get("dnsConfig", {}))
    policy = case["dnsPolicy"] or "ClusterFirst"  # the API server's default
    found = of_pod(kubelet, case["namespace"], policy, case["hostNetwork"], config)
    assert list(found.nameservers) == case["expect"]["nameservers"]
    assert list(found.searches) == case["expect"]["searches"]
    assert set(found.options) == set(case["expect"]["options"])


@pytest.mark.parametrize(
    ("policy", "host_network", "expected"),
    [
        ("ClusterFirst", False, ResolvConf(("10.96.0.10",), CLUSTER, ("ndots:5",))),
        ("ClusterFirst", True, NODE),
        ("ClusterFirstWithHostNet", True, ResolvConf(("10.96.0.10",), CLUSTER, ("ndots:5",))),
        ("Default", False, NODE),
        ("None", False, ResolvConf()),
    ],
)
def test_policies(policy: str, host_network: bool, expected: ResolvConf) -> None:
    assert of_pod(KUBELET, "prod", policy, host_network, NOTHING) == expected


def test_without_a_cluster_dns_a_pod_has_what_its_node_has() -> None:
    assert of_pod(Kubelet(NODE), "prod", "ClusterFirst", False, NOTHING) == NODE


def test_what_a_pod_asks_for_comes_last_once_and_its_options_count() -> None:
    config = DnsConfig(("10.96.0.10", "1.2.3.4"), ("x.test", "cluster.local"), (("ndots", "2"),))
    found = of_pod(KUBELET, "prod", "ClusterFirst", False, config)
    assert found.nameservers == ("10.96.0.10", "1.2.3.4")
    assert found.searches == (*CLUSTER, "x.test")
    assert found.options == ("ndots:2",)


def test_the_kubelets_limits() -> None:
    many = tuple(f"{number:02}.test" for number in range(40))
    found = of_pod(KUBELET, "prod", "ClusterFirst", False, DnsConfig(("1.1.1.1",) * 2, many))
    assert found.searches == (*CLUSTER, *many)[:32]
    servers = DnsConfig(("1.1.1.1", "1.1.1.2", "1.1.1.3"))
    assert of_pod(KUBELET, "prod", "ClusterFirst", False, servers).nameservers == (
        "10.96.0.10", "1.1.1.1", "1.1.1.2",
    )  # fmt: skip
    long = tuple("a" * 60 + f".{'b' * 60}.{'c' * 60}.{'d' * 60}.{n}" for n in range(20))
    found = of_pod(KUBELET, "prod", "None", False, DnsConfig((), long))
    assert len(" ".join(found.searches)) <= 2048
    assert len(" ".join(long[: len(found.searches) + 1])) > 2048
    assert of_pod(KUBELET, "prod", "None", False, DnsConfig((), ("e" * 254,))).searches == ()


def test_the_file() -> None:
    config = ResolvConf(("10.96.0.10", "1.2.3.4"), ("a.test", "b.test"), ("ndots:5", "edns0"))
    assert config.text == (
        "search a.test b.test\nnameserver 10.96.0.10\nnameserver 1.2.3.4\noptions ndots:5 edns0\n"
    )
    assert ResolvConf().text == ""


@pytest.mark.parametrize("word", ["", "a b", "a\nnameserver 6.6.6.6", "a\t", "é"])
@pytest.mark.parametrize("field", ["nameservers", "searches", "options"])
def test_nothing_but_words_gets_into_the_file(field: str, word: str) -> None:
    with pytest.raises(ValueError, match="must not be in"):
        ResolvConf(**{field: (word,)})
