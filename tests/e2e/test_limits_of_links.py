"""Rates and queues of links by real traffic, and the refusal of what the kernel cannot do."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from labs import RunningLab, StartLab

from testbed.doctor import features

pytestmark = pytest.mark.e2e

PODS = """
apiVersion: v1
kind: Pod
metadata: {name: server}
spec: {nodeName: n4, containers: [{name: c, image: iperf3}]}
---
apiVersion: v1
kind: Pod
metadata: {name: short}
spec: {nodeName: n2, containers: [{name: c, image: pause}]}
---
apiVersion: v1
kind: Pod
metadata: {name: long}
spec: {nodeName: n5, containers: [{name: c, image: pause}]}
"""
ADDRESS = "10.244.4.2"
SETTINGS = (
    "nodes=5",
    "n1-s1.rate=20Mbit",
    "n2-s1.rate=1Mbit",
    "n2-s1.limit=10",
    "n3-s1.rate=1Gbit",
    "n5-s1.rate=1Mbit",
    "n5-s1.limit=40",
)
FULL = 1448 / 1514
"""Payload of TCP in a full frame, with time stamps; a rate is that of whole frames."""


@pytest.fixture
def limited(shared_lab: StartLab) -> RunningLab:
    return shared_lab(cni="host-gw", manifests=(PODS,), settings=SETTINGS)


def _iperf3(lab: RunningLab, source: str, *options: str) -> dict[str, Any]:
    said = lab.exec(source, "iperf3", "-J", "-c", ADDRESS, *options)
    found: dict[str, Any] = json.loads(said)["end"]
    return found


@pytest.mark.parametrize("way", [(), ("--reverse",)], ids=["from-n1", "to-n1"])
def test_a_rate_is_the_rate_each_way(limited: RunningLab, way: tuple[str, ...]) -> None:
    found = _iperf3(limited, "node/n1", "-t", "3", *way)["sum_received"]
    assert found["bits_per_second"] == pytest.approx(20e6 * FULL, rel=0.08)


def test_other_links_have_their_own(limited: RunningLab) -> None:
    found = _iperf3(limited, "node/n3", "-t", "1")["sum_received"]["bits_per_second"]
    assert 60e6 < found < 1e9


@pytest.mark.parametrize(("pod", "limit"), [("short", 10), ("long", 40)])
def test_a_queue_holds_its_limit_and_loses_the_rest(
    limited: RunningLab, pod: str, limit: int
) -> None:
    """Of 100 at once pass: two out of the bucket, one that waits for it, and the queue.

    At 1 Mbit/s a packet takes 12 ms, so a few more leave while they are sent.
    """
    ping = ("ping", "-q", "-l", "100", "-c", "100", "-s", "1472", "-W", "2", "192.168.0.14")
    said = limited.run("exec", pod, "--", *ping, code=None).stdout
    found = re.search(r"100 packets transmitted, (\d+) received.* time (\d+)ms", said)
    assert found, said
    assert limit + 2 <= int(found[1]) <= limit + 5 + int(found[2]) / 12, said


def _frames(lab: RunningLab, node: str) -> float:
    """Bytes in what a node has handed to its wire at once, on average."""
    said = json.loads(lab.exec(f"node/{node}", "ip", "-s", "-j", "link", "show", f"{node}-eth0"))
    sent = said[0]["stats64"]["tx"]
    return float(sent["bytes"]) / float(sent["packets"])


def test_a_queue_of_packets_is_one_of_what_a_wire_carries(lab: StartLab) -> None:
    settings = ["nodes=5", "rate=1Gbit", "n2-s1.limit=500"]
    running = lab(cni="host-gw", manifests=(PODS,), settings=settings)
    for node in ("n1", "n2"):
        _iperf3(running, f"node/{node}", "-t", "1")
    assert _frames(running, "n1") > 5000  # up to 44 segments in one: nothing looks at packets
    assert _frames(running, "n2") <= 1514


@pytest.mark.parametrize(
    "setting", ["delay=20ms", "loss=1%", "n1-s1.duplicate=1%", "n1-s1.corrupt=1%"]
)
def test_what_the_kernel_cannot_do_is_refused(setting: str) -> None:
    if features.probe(["netem"])["netem"].present:
        pytest.skip("this kernel has netem (tests/vm tries what it does)")
    with pytest.raises(AssertionError, match="exit 3") as caught:
        RunningLab(["--set", setting], ())
    said = str(caught.value)
    assert "this machine lacks netem" in said
    assert "CONFIG_NET_SCH_NETEM, or run it in one: testbed vm -- testbed …" in said
