"""Connections per second, and request-response times, by a small generator of our own.

No Debian package measures the time to open a TCP connection; and sockperf takes 3.2 s for half a
second of round trips (:mod:`testbed.measure.sockperf`), which a campaign of a few minutes cannot
afford. So :mod:`testbed.measure.programs.tcp` does both, and says there what its times are. Being
Python it adds 2 to 3 µs to a round trip of 50 µs; a test compares it with sockperf.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from testbed.measure import process, programs
from testbed.measure.cpu import Window
from testbed.measure.process import Flow

PORT = 7001
_SERVERS = {"connect": "serve", "ask": "echo"}


@dataclass(frozen=True, slots=True)
class Result:
    """What one test measured.

    Attributes:
        percentiles: Percentile (50.0, 90.0, 99.0, 99.9) → time in seconds: of connect(2), or of a
            whole round trip.
        rate: Connections, or round trips, per second.
        count: How many there were.
    """

    percentiles: Mapping[float, float]
    rate: float
    count: int


def parse(text: str) -> Result:
    """Reads the JSON document of the generator.

    Args:
        text: All of its standard output.

    Raises:
        ValueError: It is not such a document, or nothing was measured.
    """
    try:
        document = json.loads(text)
        found = {float(key): float(value) for key, value in document["percentiles"].items()}
        return Result(found, float(document["rate"]), int(document["count"]))
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"its output is no result: {text.strip()[:500] or 'nothing'}") from error


def run(
    flow: Flow,
    verb: Literal["connect", "ask"],
    raw: Path,
    seconds: float,
) -> tuple[Result, Window]:
    """Connects, or asks over one connection, again and again.

    Args:
        flow: Who sends to whom.
        verb: ``connect`` measures connections, ``ask`` round trips.
        raw: Folder for the output.
        seconds: How long.

    Returns:
        The result, and the machine's CPU time while the client ran.

    Raises:
        LabError: The generator failed; the message has its own words.
    """
    there = ["0.0.0.0", str(PORT)]  # noqa: S104 - inside the pod's own namespace
    serve = [*programs.argv("tcp"), _SERVERS[verb], *there]
    argv = [*programs.argv("tcp"), verb, flow.address, str(PORT), str(seconds)]
    with process.server(flow, serve, raw, "listening"):
        done = process.client(flow, argv, raw, seconds)
    try:
        return parse(done.stdout), done.cpu
    except ValueError as error:
        words = done.stderr.strip() or str(error)
        raise done.error(f"{Path(sys.executable).name} in {flow.source}", words) from error
