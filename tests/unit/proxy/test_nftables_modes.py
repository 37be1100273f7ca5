"""Parts of the nftables modes: names, numbers of endpoints, ranges, settings, what others use."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from testbed.cluster.categorize import Categorized
from testbed.cluster.serviceview import Endpoint, ServicePortInfo, ServicePortName
from testbed.errors import InputError
from testbed.proxy.contract import ProxyNode, modes
from testbed.proxy.modes import _nftnames as names
from testbed.proxy.modes._nftfragment import Fragment
from testbed.proxy.modes._nftport import sources

SVC1 = ServicePortName("ns1", "svc1", "p80", "TCP")
SVC5 = ServicePortName("ns5", "svc5", "p80", "TCP")
NODE = ProxyNode("n1", ("192.168.0.11",), settings=modes.get("nftables").settings)
LIMIT = 240  # bytes; a prefix of 16 may come before


def test_names_are_those_of_kube_proxy() -> None:
    """From ``TestOverallNFTablesRules`` of ``pkg/proxy/nftables/proxier_test.go``."""
    assert names.service(SVC1) == "ULMVA6XW-ns1/svc1/tcp/p80"
    assert names.service(SVC5) == "HVFWP5L3-ns5/svc5/tcp/p80"
    end = Endpoint("10.180.0.1", 80)
    assert names.endpoint(SVC1, end) == "5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80"


def test_long_names_are_cut_and_stay_different() -> None:
    long = ServicePortName("n" * 63, "s" * 63, "p" * 63, "SCTP")
    ends = [Endpoint(f"10.180.100.10{i}", 8080) for i in range(2)]
    assert len(names.service(long)) <= LIMIT
    made = {names.hashed(f"{'x' * 250}{end}") for end in ends}
    assert len(made) == 2
    assert all(len(name) == LIMIT and name.endswith("...") for name in made)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (("10.0.0.0/8", "172.16.0.0/12"), ("10.0.0.0/8", "172.16.0.0/12")),
        (("10.0.0.0/8", "10.1.0.0/16"), ("10.0.0.0/8",)),
        (("10.0.0.0/9", "10.128.0.0/9"), ("10.0.0.0/9", "10.128.0.0/9")),
        (("10.0.0.1/32", "10.0.0.1/32"), ("10.0.0.1",)),
        (("192.168.0.0/24",), ("192.168.0.0/24", "198.51.100.1")),
        (("192.168.0.0/24", "198.51.100.0/24"), ("192.168.0.0/24", "198.51.100.0/24")),
    ],
)
def test_ranges_do_not_overlap(given: tuple[str, ...], found: tuple[str, ...]) -> None:
    """And a node that is in one of them may use the load balancer's own address."""
    info = ServicePortInfo(
        "10.96.0.1", 80, "TCP", load_balancer_vips=("198.51.100.1",), source_ranges=given
    )
    assert sources(NODE, info) == found


def _flat(ends: tuple[Endpoint, ...], name: ServicePortName = SVC1) -> Fragment:
    info = ServicePortInfo("10.96.0.1", 80, "TCP", affinity_seconds=60)
    chosen = Categorized(ends, (), ends, True)
    found = modes.get("nftables-flat").service(NODE, name, info, chosen)
    assert isinstance(found, Fragment)
    return found


def _numbers(fragment: Fragment) -> Mapping[str, str]:
    """Endpoint → its number."""
    (claim,) = fragment.claims.values()
    ours = (one for one in claim.elements if one.container == "tcp-session-endpoints")
    return {one.value: one.key.rpartition(" . ")[2] for one in ours}


def test_an_endpoint_keeps_its_number_whoever_else_is_there() -> None:
    ends = tuple(Endpoint(f"10.244.{i // 250}.{i % 250 + 1}", 80) for i in range(1000))
    every, some = _numbers(_flat(ends)), _numbers(_flat(ends[3:10]))
    assert len(set(every.values())) == 1000
    assert some.items() <= every.items()
    other = _numbers(_flat(ends, SVC5))
    assert not {*other.values()} & {*every.values()}


def test_numbers_are_no_classes_of_queues() -> None:
    """Which are below 0xc000: tc gives 8001 and up to those without a number."""
    ends = tuple(Endpoint(f"10.244.1.{i}", 80) for i in range(1, 200))
    majors = [int(n.partition(":")[0], 16) for n in _numbers(_flat(ends)).values()]
    assert min(majors) >= 0xC000
    assert max(majors) <= 0xFFFF


@pytest.mark.parametrize("mode", ["nftables", "nftables-flat"])
@pytest.mark.parametrize(
    ("key", "value"),
    [("masquerade_all", "yes"), ("detect_local", ""), ("nodeport_addresses", "10.0.0.0/33")],
)
def test_settings_that_mean_nothing_are_refused(mode: str, key: str, value: str) -> None:
    found = modes.get(mode)
    with pytest.raises(InputError, match=key):
        found.check({**found.settings, key: value})
