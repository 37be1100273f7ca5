"""Real CoreDNS with a lab's Corefile on the lab's API: what is asked, and what is answered.

Own cases, and those of the shared data where these are there.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from dnsbox import Answer, DnsBox

from testbed.dns.resolvconf import ResolvConf
from testbed.go import build
from testbed.measure import dnsperf
from testbed.measure.process import Flow

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(build.find("coredns") is None, reason="there is no CoreDNS (docs/dns.md)"),
]

SHARED = Path(__file__).parents[3] / "shared/conformance/dns.json"
DATA: dict[str, Any] = json.loads(SHARED.read_text()) if SHARED.exists() else {}

HTTP = {"name": "http", "protocol": "TCP", "port": 80}
OWN = {
    "zone": "lab.test",
    "namespaces": ["shop"],
    "services": [
        {"name": "cart", "namespace": "shop", "clusterIPs": ["10.96.7.7"], "ports": [HTTP]},
        {"name": "db", "namespace": "shop", "clusterIPs": [], "ports": [HTTP], "endpoints": [
            {"ip": "10.244.1.5", "hostname": "db-0"}, {"ip": "10.244.2.5"},
            {"ip": "10.244.3.5", "ready": False},
        ]},
        {"name": "bank", "namespace": "shop", "type": "ExternalName",
         "externalName": "bank.example.com"},
    ],
    "upstream": {"bank.example.com": {"A": ["203.0.113.9"], "AAAA": ["2001:db8::9"]}},
}  # fmt: skip
CLUSTERS = {**DATA.get("clusters", {}), "own": OWN}

Boxes = Callable[[str], DnsBox]


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boxes]:
    """CoreDNS for a cluster by its name, started when it is first asked for."""
    made: dict[str, DnsBox] = {}
    program = build.find("coredns")
    assert program is not None
    with ExitStack() as stack:

        def get(name: str) -> DnsBox:
            if name not in made:
                folder = tmp_path_factory.mktemp(name)
                made[name] = DnsBox(stack, program, CLUSTERS[name], folder)
            return made[name]

        yield get


def answer(code: str, *found: str) -> Answer:
    return code, frozenset(tuple(line.split(" ", 2)) for line in found)  # type: ignore[misc]


CART, DB, BANK = "cart.shop.svc.lab.test.", "db.shop.svc.lab.test.", "bank.shop.svc.lab.test."


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        (CART, "A", answer("NOERROR", f"{CART} A 10.96.7.7")),
        (CART, "AAAA", answer("NOERROR")),
        (f"_http._tcp.{CART}", "SRV", answer("NOERROR", f"_http._tcp.{CART} SRV 80 {CART}")),
        ("7.7.96.10.in-addr.arpa.", "PTR",
         answer("NOERROR", f"7.7.96.10.in-addr.arpa. PTR {CART}")),
        (DB, "A", answer("NOERROR", f"{DB} A 10.244.1.5", f"{DB} A 10.244.2.5")),
        (f"db-0.{DB}", "A", answer("NOERROR", f"db-0.{DB} A 10.244.1.5")),
        (f"10-244-2-5.{DB}", "A", answer("NOERROR", f"10-244-2-5.{DB} A 10.244.2.5")),
        (BANK, "A", answer("NOERROR", f"{BANK} CNAME bank.example.com.",
                           "bank.example.com. A 203.0.113.9")),
        ("10-1-2-3.shop.pod.lab.test.", "A",
         answer("NOERROR", "10-1-2-3.shop.pod.lab.test. A 10.1.2.3")),
        ("nosuch.shop.svc.lab.test.", "A", answer("NXDOMAIN")),
        ("bank.example.com.", "AAAA", answer("NOERROR", "bank.example.com. AAAA 2001:db8::9")),
        ("www.google.com.", "A", answer("NXDOMAIN")),
        ("cart.shop.svc.cluster.local.", "A", answer("NXDOMAIN")),
    ],
)  # fmt: skip
def test_own_case(boxes: Boxes, name: str, kind: str, expected: Answer, tcp: bool) -> None:
    assert boxes("own").ask(name, kind, tcp=tcp) == expected


@pytest.mark.parametrize("case", DATA.get("queries", []), ids=lambda case: str(case["id"]))
def test_shared_query(boxes: Boxes, case: dict[str, Any]) -> None:
    code, found = boxes(case["cluster"]).ask(case["qname"], case["qtype"])
    assert code in case.get("accept_rcodes", [case["rcode"]])
    expected = ((a["name"].lower(), a["type"], a["data"].lower()) for a in case["answer"])
    assert found == frozenset(expected)


@pytest.mark.parametrize("case", DATA.get("resolver", []), ids=lambda case: str(case["id"]))
def test_shared_resolver_case(boxes: Boxes, case: dict[str, Any], tmp_path: Path) -> None:
    conf = ResolvConf(("127.0.0.1",), tuple(case["search"]), (f"ndots:{case['ndots']}",))
    file = tmp_path / "resolv.conf"
    file.write_text(conf.text)
    addresses, asked = boxes(case["cluster"]).resolve(case["name"], file)
    assert addresses == case["addresses"]
    assert asked == case["queries_sent"]


def test_a_short_external_name_costs_a_question_for_each_search_domain(
    boxes: Boxes, tmp_path: Path
) -> None:
    domains = ("shop.svc.lab.test", "svc.lab.test", "lab.test")
    file = tmp_path / "resolv.conf"
    file.write_text(ResolvConf(("127.0.0.1",), domains, ("ndots:5",)).text)
    addresses, asked = boxes("own").resolve("bank.example.com", file)
    assert addresses == ["203.0.113.9"]
    assert asked == [*(f"bank.example.com.{d}." for d in domains), "bank.example.com."]
    assert boxes("own").resolve("bank.example.com.", file)[1] == ["bank.example.com."]


class _Boxed:
    """The part of a lab that a tool's runner needs."""

    def __init__(self, box: DnsBox) -> None:
        self._box = box

    def popen(self, _: str, argv: list[str], **options: Any) -> subprocess.Popen[bytes]:
        return self._box.popen(argv, **options)


@pytest.mark.skipif(shutil.which("dnsperf") is None, reason="there is no dnsperf")
def test_dnsperf_measures(boxes: Boxes, tmp_path: Path) -> None:
    flow = Flow(_Boxed(boxes("own")), "client", "client", "127.0.0.1")  # type: ignore[arg-type]
    names = [f"bank.example.com.{domain}" for domain in ("svc.lab.test", "lab.test")]
    paced = dnsperf.run(flow, [*names, "bank.example.com"], tmp_path, 1, paced=True)
    found = dnsperf.lookups(paced.answers, [*names, "bank.example.com"])
    assert 0 < len(found) <= dnsperf.PACE / 3 + 1
    assert all(0 < seconds < 3 for seconds in found)
    fast = dnsperf.run(flow, [CART], tmp_path, 0.5, paced=False)
    assert fast.rate > paced.rate
    assert fast.answers == ()
