"""Request-response times by sockperf's ping-pong: one message out, its echo back, and again.

**Round trips.** What sockperf calls *latency* is half a round-trip time. This module always asks
for ``--full-rtt``, so every value here is a whole round trip.

sockperf 3.7 sleeps 2 s before each test, leaves the first 400 ms and the last 50 ms of it out, and
knows whole seconds only: a sample of 1 s takes 3.2 s and counts 0.55 s. It ends with exit code 0
even when it fails, so its text decides. ``--no-rdtsc`` makes version 3.7 find "no valid
observations"; hence time is the processor's counter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from testbed.measure import process
from testbed.measure.cpu import Window
from testbed.measure.process import Flow

PORT = 11111
_READY = "to block on socket(s)"  # its last words before the loop; "listen on" precedes bind(2)
_OVERHEAD = 3.0  # seconds that it sleeps before and after the test
_DURATION = re.compile(r"\[Valid Duration\] RunTime=([\d.]+) sec; SentMessages=(\d+); Received")
_PERCENTILE = re.compile(r"percentile\s+([\d.]+)\s*=\s*([\d.]+)")
_LOST = re.compile(r"# dropped messages = (\d+)")


@dataclass(frozen=True, slots=True)
class Result:
    """What one test measured.

    Attributes:
        percentiles: Percentile (50.0, 99.0, 99.9 …) → round-trip time in seconds.
        rate: Round trips per second.
        lost: Messages without an echo.
    """

    percentiles: Mapping[float, float]
    rate: float
    lost: int


def parse(text: str) -> Result:
    """Reads what ``sockperf ping-pong --full-rtt`` prints.

    Args:
        text: All of its standard output.

    Raises:
        ValueError: It measured nothing, with its own message, or it printed half round trips.
    """
    duration, lost = _DURATION.search(text), _LOST.search(text)
    percentiles = {float(p): float(us) / 1e6 for p, us in _PERCENTILE.findall(text)}
    if duration is None or lost is None or not percentiles:
        raise ValueError(_last_words(text))
    if "Summary: Round trip is" not in text:
        raise ValueError("it printed half round trips, not whole ones")
    return Result(percentiles, int(duration[2]) / float(duration[1]), int(lost[1]))


def _last_words(text: str) -> str:
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    complaints = [line for line in plain.splitlines() if "ERROR" in line or "No " in line]
    return "; ".join(complaints) or plain.strip()[-500:] or "it printed nothing"


def run(
    flow: Flow,
    raw: Path,
    seconds: int,
    *,
    protocol: str = "tcp",
    size: int = 14,
) -> tuple[Result, Window]:
    """Plays ping-pong between the flow's source and its target.

    Args:
        flow: Who sends to whom.
        raw: Folder for the output.
        seconds: How long to measure.
        protocol: ``tcp`` or ``udp``.
        size: Bytes of a message; sockperf's least is 14.

    Returns:
        The result, and the machine's CPU time while the client ran (its sleep counts).

    Raises:
        LabError: sockperf failed; the message has its own words.
    """
    both = ["--port", str(PORT), *(["--tcp"] if protocol == "tcp" else [])]
    ask = ["--full-rtt", "--time", str(seconds), "--msg-size", str(size)]
    with process.server(flow, ["sockperf", "server", *both], raw, _READY):
        argv = ["sockperf", "ping-pong", "--ip", flow.address, *both, *ask]
        done = process.client(flow, argv, raw, seconds + _OVERHEAD)
    try:
        return parse(done.stdout), done.cpu
    except ValueError as error:
        raise done.error(f"sockperf in {flow.source}", f"{error} {done.stderr}".strip()) from error
