"""New connections and requests to an address that leads to one of several pods.

The client and the servers are those of :mod:`testbed.measure.programs.tcp`; the address is that of
a Service, or a pod's own. Beside :mod:`testbed.measure.tcp`, where client and server know each
other, the servers here are told apart from the address, and there may be several.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.measure import process, programs, tcp
from testbed.measure.contract import LabHandle
from testbed.measure.process import Finished, Flow

PORT = tcp.PORT
"""At which the servers listen."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a client gets to servers.

    Attributes:
        lab: The lab to measure in.
        source: Target of the client.
        address: The IPv4 address that the client asks.
        port: The port that it asks.
    """

    lab: LabHandle
    source: str
    address: str
    port: int


def parse(text: str) -> tuple[tcp.Result, tcp.Result]:
    """The times of connect(2) and of whole requests, from what ``tcp.py request`` printed.

    Raises:
        ValueError: It is no such document, or nothing was measured.
    """
    try:
        document = json.loads(text)
        connects, requests = (json.dumps(document[name]) for name in ("connect", "request"))
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"its output is no result: {text.strip()[:500] or 'nothing'}") from error
    return tcp.parse(connects), tcp.parse(requests)


@contextlib.contextmanager
def servers(lab: LabHandle, targets: Sequence[str], raw: Path) -> Iterator[None]:
    """Echo servers in some targets during the ``with`` block; each has a folder for its output.

    Raises:
        LabError: One did not listen in time.
    """
    there = ["0.0.0.0", str(PORT)]  # noqa: S104 - inside the pod's own namespace
    with contextlib.ExitStack() as stack:
        for target in targets:
            own = raw / target.replace("/", "-")
            own.mkdir(exist_ok=True)
            flow = Flow(lab, target, target, there[0])
            argv = [*programs.argv("tcp"), "echo", *there]
            stack.enter_context(process.server(flow, argv, own, "listening"))
        yield


def requests(way: Way, raw: Path, seconds: float) -> tuple[tcp.Result, tcp.Result]:
    """Connects and asks once on each connection, again and again.

    Args:
        way: To the servers.
        raw: The sample's folder.
        seconds: How long.

    Returns:
        The times of connect(2), and those of whole requests.

    Raises:
        LabError: The client failed; the message has its own words.
    """
    done = _run(way, "request", raw, seconds)
    return parse(_checked(way, done))


def keep_alive(way: Way, raw: Path, seconds: float) -> tcp.Result:
    """Asks again and again on one connection; arguments and errors as :func:`requests`."""
    own = raw / "keep-alive"
    own.mkdir(exist_ok=True)
    return tcp.parse(_checked(way, _run(way, "ask", own, seconds)))


def _run(way: Way, verb: str, raw: Path, seconds: float) -> Finished:
    argv = [*programs.argv("tcp"), verb, way.address, str(way.port), str(seconds)]
    return process.client(Flow(way.lab, way.source, "", way.address), argv, raw, seconds)


def _checked(way: Way, done: Finished) -> str:
    """What the client printed; the error that it told if it failed."""
    if done.code:
        words = done.stderr.strip() or f"exit code {done.code}"
        raise done.error(f"client in {way.source} of {way.address}:{way.port}", words)
    return done.stdout
