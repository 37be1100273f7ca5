"""Impairments of links by real traffic, where the kernel has netem.

One lab; each node has a link with another impairment, and pings the node whose link has none. What
is random is held against an interval that it leaves once in a million runs (:func:`likely`), or
against half and double of what is expected. An emulated processor on a busy machine makes times
longer, never shorter: bounds from below are strict, those from above are of the fastest answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import combinations
from statistics import quantiles

import pytest
from machines import Done, Vm, VmLab
from scipy.stats import binom

SETTINGS = (
    "nodes=8",
    "externals=0",
    "n1-s1.delay=20ms",
    "n1-s1.loss=1%",
    "n2-s1.delay=20ms",
    "n2-s1.jitter=5ms",
    "n3-s1.delay=20ms",
    "n3-s1.reorder=25%",
    "n4-s1.duplicate=5%",
    "n5-s1.corrupt=10%",
    "n6-s1.rate=1Mbit",
    "n6-s1.limit=10",
    "n6-s1.delay=100ms",
    "n7-s1.delay=50ms",
    "n7-s1.jitter=10ms",
    "n7-s1.distribution=normal",
)
TARGET, ADDRESS = "node/n8", "192.168.0.18"
POD = """
apiVersion: v1
kind: Pod
metadata: {name: behind}
spec: {nodeName: n6, containers: [{name: c, image: pause}]}
"""
AT_ONCE = ("-c", "100", "-l", "100")
PINGS = (
    {
        "node/n1": ("-c", "200", "-i", "0.1"),
        "node/n2": ("-c", "1000", "-i", "0.02"),
        "node/n3": ("-c", "1000", "-i", "0.02"),
        "node/n7": ("-c", "400", "-i", "0.05"),
    },
    {"node/n2 at once": AT_ONCE},
    {"node/n3 at once": AT_ONCE},
    {
        "node/n4": ("-q", "-c", "1000", "-i", "0.01"),
        "node/n5": ("-q", "-c", "3000", "-i", "0.005", "-s", "8"),  # too short for a time stamp,
        "default/behind": ("-c", "60", "-l", "60", "-s", "1472"),  # whose bits could be flipped
    },
    {"node/n1 for long": ("-q", "-c", "5000", "-i", "0.002")},
)
"""Options of ping; those of one group run at the same time."""

SLACK = 10.0
"""Milliseconds that the fastest tenth of the answers may be late."""

ONCE_IN = 1e-6

LIMIT = 300.0
"""Seconds that a ping may take; 5,000 in software emulation are slow."""


@dataclass(frozen=True)
class Pings:
    """What ping(8) found.

    Attributes:
        sent: Requests.
        received: Requests that were answered.
        times: Sequence number and round-trip time in ms of each answer, as they came.
        duplicates: Further answers.
        sending: Milliseconds from the first request to the last.
    """

    sent: int
    received: int
    times: list[tuple[int, float]]
    duplicates: int
    sending: int

    @property
    def rtts(self) -> list[float]:
        """Round-trip times in ms."""
        return [time for _, time in self.times]

    @property
    def mixed(self) -> float:
        """The share of pairs of answers that came in the order opposite to that of the requests.

        None in order, half of them in no order at all.
        """
        pairs = list(combinations((number for number, _ in self.times), 2))
        return sum(b < a for a, b in pairs) / len(pairs)


def parse(said: str) -> Pings:
    """From what ping printed."""
    total = re.search(r"(\d+) packets transmitted, (\d+) received.* time (\d+)ms", said)
    assert total, said
    more = re.search(r"\+(\d+) duplicates", said)
    found = re.findall(r"icmp_seq=(\d+) ttl=\d+ time=([\d.]+) ms(?! \(DUP)", said)
    times = [(int(number), float(time)) for number, time in found]
    duplicates = int(more[1]) if more else 0
    return Pings(int(total[1]), int(total[2]), times, duplicates, int(total[3]))


def likely(count: int, share: float) -> tuple[float, float]:
    """The interval that the number of events leaves once in a million runs."""
    least, most = binom.interval(1 - ONCE_IN, count, share)
    return float(least), float(most)


@pytest.fixture(scope="module")
def impaired(vm: Vm) -> Iterator[VmLab]:
    lab = vm.lab(cni="host-gw", manifests=[POD], settings=SETTINGS)
    yield lab
    lab.end()


@pytest.fixture(scope="module")
def pings(impaired: VmLab) -> dict[str, Pings]:
    """What came of :data:`PINGS`."""
    found = {}
    for group in PINGS:
        running: dict[str, Future[Done]] = {
            name: impaired.submit(
                name.partition(" ")[0], "ping", "-n", "-W", "2", *options, ADDRESS, limit=LIMIT
            )
            for name, options in group.items()
        }
        found |= {name: parse(future.result().stdout) for name, future in running.items()}
    return found


def test_a_delay_is_there_once_each_way(pings: dict[str, Pings]) -> None:
    rtts = pings["node/n1"].rtts
    assert min(rtts) >= 40
    assert quantiles(rtts, n=10)[0] <= 40 + SLACK


def test_a_loss_is_met_once_each_way(pings: dict[str, Pings], impaired: VmLab) -> None:
    """1 % of 5,200 each way: 20 to 90 of them. Those on the way there its own end has counted."""
    both = [found for name, found in pings.items() if name.startswith("node/n1")]
    sent = sum(found.sent for found in both)
    lost = sent - sum(found.received for found in both)
    assert sent == 5200
    said = impaired.exec("node/n1", "tc", "-s", "-j", "qdisc", "show", "dev", "n1-eth0")
    there = next(d["drops"] for d in json.loads(said) if d["kind"] == "netem")
    least, most = likely(sent, 0.01)
    assert least <= there <= most
    assert least <= lost - there <= most


def test_a_jitter_goes_both_ways_and_not_beyond(pings: dict[str, Pings]) -> None:
    found = pings["node/n2"]
    assert found.received == found.sent
    assert min(found.rtts) >= 30
    assert sum(rtt < 40 for rtt in found.rtts) > 20  # half of them, if nothing is late


def test_a_jitter_changes_no_order(pings: dict[str, Pings]) -> None:
    """Without a rate of its own netem mixes 0.4 of the pairs; late processors mix a few."""
    found = pings["node/n2 at once"]
    assert found.received == found.sent
    assert max(found.rtts) - min(found.rtts) >= 2
    assert found.mixed < 0.05


def test_a_normal_jitter_has_tails(pings: dict[str, Pings]) -> None:
    rtts = pings["node/n7"].rtts
    assert min(rtts) < 80  # where an even one ends; of 400 some 30, if nothing is late
    assert quantiles(rtts, n=10)[0] <= 100 + SLACK


def test_reordered_packets_skip_the_delay(pings: dict[str, Pings]) -> None:
    found = pings["node/n3"]
    assert found.received == found.sent
    both_ways = sum(rtt < 20 for rtt in found.rtts)
    assert 0.5 * found.sent / 16 <= both_ways <= likely(found.sent, 1 / 16)[1]
    assert min(rtt for rtt in found.rtts if rtt >= 20) < 40


def test_reordered_packets_overtake(pings: dict[str, Pings]) -> None:
    found = pings["node/n3 at once"]
    assert found.received == found.sent
    assert found.mixed > 0.1  # 0.27 of pairs have unlike ways, the slower one first


def test_duplicates_arrive(pings: dict[str, Pings]) -> None:
    found = pings["node/n4"]
    assert found.received == found.sent
    least, most = likely(found.sent, 1.05**2 - 1)
    assert least <= found.duplicates <= most


def test_corrupted_packets_have_one_bit_flipped_anywhere(
    pings: dict[str, Pings], impaired: VmLab
) -> None:
    """Of 50 bytes 16 are in the checksum of ICMP, which the node notices, and 20 in that of IP."""
    found = pings["node/n5"]
    said = impaired.exec(TARGET, "nstat", "-a", "-z", "IcmpInCsumErrors", "IpInHdrErrors")
    for name, size in (("IcmpInCsumErrors", 16), ("IpInHdrErrors", 20)):
        counted = re.search(rf"{name} +(\d+)", said)
        assert counted, said
        expected = found.sent * 0.1 * size / 50
        assert 0.5 * expected <= int(counted[1]) <= 2 * expected, said


def test_a_queue_holds_its_limit_whatever_is_on_the_way(pings: dict[str, Pings]) -> None:
    """Of 60 at once pass: the queue, up to three by the bucket, and few more."""
    found = pings["default/behind"]
    assert 10 <= found.received <= 15 + found.sending / 12  # ms; a packet takes 12 at 1 Mbit/s
    assert min(found.rtts) >= 200
    assert max(found.rtts) >= 200 + 9 * 12


def test_a_slow_long_line_is_full_all_the_same(vm: Vm) -> None:
    """A queue of 50 ms is enough for TCP over 40 ms: the line of 10 Mbit/s idles hardly."""
    settings = ["nodes=2", "n1-s1.rate=10Mbit", "n1-s1.delay=20ms"]
    server = POD.replace("n6", "n2").replace("pause", "iperf3")
    lab = vm.lab(cni="host-gw", manifests=[server], settings=settings)
    said = lab.exec("node/n1", "iperf3", "-f", "k", "-t", "8", "-c", "10.244.2.2")
    lab.end()
    rate = re.search(r"([\d.]+) Kbits/sec +receiver", said)
    assert rate, said
    assert float(rate[1]) == pytest.approx(10_000 * 1448 / 1514, rel=0.35)
