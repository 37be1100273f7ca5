"""HTTP requests by h2load (nghttp2): as many as there are answers, how long each takes, connecting.

h2load ends with exit code 0 even when nobody answers, so its text decides. It tells no percentiles
(1.52), so its log of requests is taken, on the same standard output, where they come at a steady
:data:`PACE`; as fast as it goes the log would be its own load. Certificates are not checked.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.measure import process
from testbed.measure.process import Flow

CLIENTS = 8
"""Connections that are kept."""

ROUND = 400
"""Requests on each of them in one run. Runs of a set time (``-D``) may never end when the server
closes a connection just then, as nginx does after 1,000 requests; and with fewer it closes none."""

PACE = 400
"""Requests per second, on one connection, where their latency is measured."""

BURST = 100
"""Connections at once, with one request each, where they are new."""

_RATE = re.compile(r"^finished in ([\d.]+)(us|ms|s|m), ([\d.]+) req/s", re.MULTILINE)
_COUNTS = re.compile(r"^requests: .* (\d+) succeeded, (\d+) failed, ", re.MULTILINE)
_CODES = re.compile(r"^status codes: (\d+) 2xx", re.MULTILINE)
_TOLD = re.compile(r"^(?:requests|status codes): .*", re.MULTILINE)
_LOGGED = re.compile(r"^\d{16}\t(-?\d+)\t(\d+)$", re.MULTILINE)
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for.

    Attributes:
        url: The address; its host is what the server is told, in TLS, too (SNI).
        there: ``ADDRESS:PORT`` to connect to.
        http2: Whether by HTTP/2, else by HTTP/1.1.
    """

    url: str
    there: str
    http2: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What one run measured.

    Attributes:
        done: Requests that were answered.
        seconds: How long all of it took.
        rate: Answers per second.
        times: Seconds of each request, if they were logged.
    """

    done: int
    seconds: float
    rate: float
    times: tuple[float, ...]


def parse(text: str) -> Result:
    """Reads what h2load prints, with the log of requests in between.

    Raises:
        ValueError: Nothing was answered, or not all answers were good ones (2xx).
    """
    rate, counts, codes = _RATE.search(text), _COUNTS.search(text), _CODES.search(text)
    if rate is None or counts is None or codes is None:
        raise ValueError(text.strip()[-500:] or "it printed nothing")
    good, failed = int(counts[1]), int(counts[2])
    if not good or failed or int(codes[1]) < good:
        raise ValueError("; ".join(_TOLD.findall(text)))
    times = tuple(int(micros) / 1e6 for status, micros in _LOGGED.findall(text) if status != "-1")
    return Result(good, float(rate[1]) * _UNITS[rate[2]], float(rate[3]), times)


def fast(flow: Flow, target: Target, raw: Path, seconds: float) -> Result:
    """Asks on kept connections as fast as there are answers.

    Args:
        flow: Who asks.
        target: What for.
        raw: Folder for the output.
        seconds: How long; what has begun then is ended.

    Raises:
        LabError: h2load failed; the message has its own words.
    """
    words = ["-c", str(CLIENTS), "-n", str(CLIENTS * ROUND)]
    return _rounds(flow, target, raw, seconds, words)


def paced(flow: Flow, target: Target, raw: Path, seconds: float) -> Result:
    """Asks on one connection at a steady pace; arguments and errors as :func:`fast`."""
    count = max(1, min(ROUND, round(PACE * seconds)))
    words = ["-c", "1", "-n", str(count), f"--rps={PACE}", "--log-file=/dev/stdout"]
    return _rounds(flow, target, raw, seconds, words)


def bursts(flow: Flow, target: Target, raw: Path, seconds: float) -> Result:
    """Opens connections, many at once, with one request on each; otherwise as :func:`fast`."""
    return _rounds(flow, target, raw, seconds, ["-c", str(BURST), "-n", str(BURST)])


def _rounds(flow: Flow, target: Target, raw: Path, seconds: float, words: Sequence[str]) -> Result:
    """Runs one after the other until the time is over; what they measured together."""
    found: list[Result] = []
    end = time.monotonic() + seconds
    while not found or time.monotonic() < end:
        own = raw / str(len(found))
        own.mkdir(exist_ok=True)
        found.append(_run(flow, target, own, seconds, words))
    done, taken = sum(one.done for one in found), sum(one.seconds for one in found)
    times = tuple(value for one in found for value in one.times)
    return Result(done, taken, done / taken, times)


def _run(flow: Flow, target: Target, raw: Path, seconds: float, words: Sequence[str]) -> Result:
    protocol = ["-m", "1"] if target.http2 else ["--h1"]
    argv = ["h2load", *protocol, *words, f"--connect-to={target.there}", target.url]
    done = process.client(flow, argv, raw, seconds)
    try:
        return parse(done.stdout)
    except ValueError as error:
        said = f"{error} {done.stderr}".strip()
        raise done.error(f"h2load in {flow.source} of {target.url}", said) from error
