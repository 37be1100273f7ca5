"""Throughput by iperf3: TCP with one or several streams, or UDP at a rate.

What is reported is the *receiver's* rate: bytes that arrived, over the receiver's own time. For TCP
the sender's retransmitted segments come with it; for UDP the datagrams lost and the jitter of
RFC 3550. A UDP datagram has the size of the TCP maximum segment, so it fills the path MTU.

The server runs for one test (``--one-off``). iperf3 ends with exit code 0 even when it fails under
``--json``; its ``error`` field counts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.measure import process
from testbed.measure.cpu import Window
from testbed.measure.process import Flow

_READY = "Server listening"

CONGESTION_CONTROL = "cubic"
"""Linux' own default (RFC 9438), said aloud: a machine may have another one, such as bbr, whose
pacing would make its figures differ from all others."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one test measured.

    Attributes:
        throughput: At the receiver, payload bits per second.
        retransmits: TCP segments that the sender sent again; None for UDP.
        loss: Fraction of the UDP datagrams that did not arrive; None for TCP.
        jitter: Mean deviation of the UDP transit time in seconds (RFC 3550); None for TCP.
        sender_cpu: Busy share of one core of the sending iperf3 process; its kernel time counts.
        receiver_cpu: The same of the receiving one.
    """

    throughput: float
    retransmits: int | None
    loss: float | None
    jitter: float | None
    sender_cpu: float
    receiver_cpu: float


def parse(text: str) -> Result:
    """Reads the JSON document that an iperf3 client prints.

    Args:
        text: All of its standard output.

    Raises:
        ValueError: iperf3 failed, with its own message, or the document is not complete.
    """
    try:
        document: dict[str, Any] = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"its output is no JSON: {text.strip()[:500] or 'nothing'}") from error
    if "error" in document:
        raise ValueError(document["error"])
    try:
        return _result(document["end"], document["start"]["test_start"]["protocol"])
    except KeyError as error:
        raise ValueError(f"its output lacks {error}") from error


def _result(end: dict[str, Any], protocol: str) -> Result:
    received, cpu = end["sum_received"], end["cpu_utilization_percent"]
    udp = protocol == "UDP"
    return Result(
        throughput=float(received["bits_per_second"]),
        retransmits=None if udp else int(end["sum_sent"]["retransmits"]),
        loss=received["lost_packets"] / max(1, received["packets"]) if udp else None,
        jitter=received["jitter_ms"] / 1e3 if udp else None,
        sender_cpu=cpu["host_total"] / 100,
        receiver_cpu=cpu["remote_total"] / 100,
    )


def run(
    flow: Flow,
    raw: Path,
    seconds: int,
    *,
    streams: int = 1,
    udp_rate: float | None = None,
) -> tuple[Result, Window]:
    """Sends from the flow's source to its target.

    Args:
        flow: Who sends to whom.
        raw: Folder for the output.
        seconds: How long to send; iperf3 knows whole seconds only.
        streams: Parallel connections.
        udp_rate: Send UDP at that rate in bit/s in each stream; None sends TCP, as fast as it can.

    Returns:
        The result, and the machine's CPU time while the client ran.

    Raises:
        LabError: iperf3 failed; the message has its own words.
    """
    argv = ["iperf3", "--client", flow.address, "--json", "--time", str(seconds)]
    argv += ["--parallel", str(streams)]
    if udp_rate is None:
        argv += ["--congestion", CONGESTION_CONTROL]
    else:
        argv += ["--udp", "--bitrate", str(int(udp_rate))]
    serve = ["iperf3", "--server", "--one-off", "--forceflush"]
    with process.server(flow, serve, raw, _READY):
        done = process.client(flow, argv, raw, seconds)
    try:
        return parse(done.stdout), done.cpu
    except ValueError as error:
        raise done.error(f"iperf3 in {flow.source}", f"{error} {done.stderr}".strip()) from error
