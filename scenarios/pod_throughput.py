"""How many bits per second go from pod to pod: TCP with one and four streams, and UDP at a rate.

**What it is.** iperf3's payload rate at the receiver; for UDP also the loss and the jitter. Beside
each, the machine's CPU time, and how much of it a bit costs.

**What it is not.** The speed of a network card. On one machine a veth pair carries a TCP segment of
up to 64 kB as one packet (GSO), so per-packet costs (encapsulation, routing, netfilter rules) are
divided by 40, and one TCP stream separates CNI modes poorly. UDP at a fixed rate has real packets
of the path MTU: look at its ``cpu-per-bit``. All hosts share the machine's cores: what the sender
takes, the receiver and the routers lack.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scenarios import _pods
from testbed.measure import cpu, iperf3
from testbed.measure.contract import (
    Cell,
    LabHandle,
    Metric,
    Parameter,
    Reading,
    Scenario,
    count,
    one_of,
    product,
)

THROUGHPUT = Metric("throughput", "bit/s", "higher", headline={"protocol": "tcp"})
RETRANSMITS = Metric("retransmits", "1", "none")
LOSS = Metric("loss", "1", "lower")
JITTER = Metric("jitter", "s", "lower")
CPU_PER_BIT = Metric("cpu-per-bit", "s/bit", "lower", headline={"protocol": "udp"})
UNLIMITED = "unlimited"
_FACTORS = {"K": 1e3, "M": 1e6, "G": 1e9}


def rate(value: Any) -> str:
    """A UDP rate such as ``500M``, in bit/s with K, M or G.

    Raises:
        ValueError: It is none.
    """
    text = str(value)
    if not text[:-1].isdigit() or int(text[:-1]) < 1 or text[-1] not in _FACTORS:
        raise ValueError("no rate in bit/s such as 500M or 1G")
    return text


class PodThroughput(Scenario):
    """See the module's text."""

    summary = "bits per second from pod to pod: TCP with 1 and n streams, UDP at a rate"
    parameters: Mapping[str, Parameter] = {
        "path": _pods.PATH,
        "protocol": Parameter(("tcp", "udp"), one_of("tcp", "udp")),
        "streams": Parameter((1, 4), count),
        # 500 Mbit/s are 43,000 full packets a second: two cores carry that in every mode, with
        # most of their time left, so that loss is the mode's and not the processor's.
        "rate": Parameter(("500M",), rate),
    }
    metrics: tuple[Metric, ...] = (THROUGHPUT, RETRANSMITS, LOSS, JITTER, CPU_PER_BIT, *cpu.METRICS)
    needs: tuple[str, ...] = ("iperf3",)

    def cells(self, values: Mapping[str, Sequence[Any]]) -> list[Cell]:
        """Streams are TCP's and the rate is UDP's: TCP is unlimited, UDP is one stream."""
        one: Mapping[str, Mapping[str, Any]] = {"tcp": {"rate": UNLIMITED}, "udp": {"streams": 1}}
        points = [{**cell, **one[cell["protocol"]]} for cell in product(values)]
        return [dict(items) for items in dict.fromkeys(tuple(point.items()) for point in points)]

    def manifest(self, nodes: Sequence[str]) -> str:
        """Two pods on the first node, one on the last."""
        return _pods.manifest(nodes)

    def run(self, lab: LabHandle, cell: Cell, raw: Path, seconds: int) -> Iterator[Reading]:
        """Sends for ``seconds`` and yields what the receiver counted."""
        limit = cell["rate"]
        udp_rate = None if limit == UNLIMITED else int(limit[:-1]) * _FACTORS[limit[-1]]
        flow = _pods.flow(lab, cell["path"])
        result, used = iperf3.run(flow, raw, seconds, streams=cell["streams"], udp_rate=udp_rate)
        values = {
            THROUGHPUT: result.throughput,
            RETRANSMITS: result.retransmits,
            LOSS: result.loss,
            JITTER: result.jitter,
        }
        yield from (Reading(metric, value) for metric, value in values.items() if value is not None)
        if result.throughput > 0:
            yield Reading(CPU_PER_BIT, used.busy / (result.throughput * seconds))
        yield from used.readings()


scenario: Scenario = PodThroughput()
