"""What the time of a request goes into, by curl's own clock: name, connect, TLS, first byte, all.

Each request has a connection of its own, and TLS a whole handshake: no session is resumed.
Certificates are not checked. Source of the times: ``--write-out`` in curl(1).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import median

from testbed.measure import process
from testbed.measure.h2load import Target
from testbed.measure.process import Flow

PHASES = ("dns", "connect", "tls", "first-byte", "total")
"""Until the name is known, TCP is connected, TLS is, the answer begins; and all of it together."""

_WORDS = ("namelookup", "connect", "appconnect", "starttransfer", "total")
_FORMAT = " ".join(f"%{{time_{word}}}" for word in _WORDS) + " %{num_connects} %{http_code}\\n"


def parse(text: str) -> dict[str, float]:
    """The median of each phase in seconds.

    Args:
        text: What curl printed: a line for each request, of :data:`_FORMAT`.

    Raises:
        ValueError: There is none, or one had no new connection or no good answer.
    """
    rows = [line.split() for line in text.splitlines()]
    for row in rows:
        if len(row) != len(_WORDS) + 2 or row[-2] != "1" or not row[-1].startswith("2"):
            raise ValueError(f"no good answer on a new connection: {' '.join(row)}")
    if not rows:
        raise ValueError("it printed nothing")
    every = [_phases([float(word) for word in row[: len(_WORDS)]]) for row in rows]
    return {name: median(one[name] for one in every) for name in PHASES}


def _phases(times: list[float]) -> Mapping[str, float]:
    name, connect, tls, first, total = times
    secured = tls or connect  # 0 without TLS
    found = (name, connect - name, secured - connect, first - secured, total)
    return dict(zip(PHASES, found, strict=True))


def run(flow: Flow, target: Target, raw: Path, count: int) -> dict[str, float]:
    """Asks one after the other; the median of each phase in seconds.

    Args:
        flow: Who asks.
        target: What for.
        raw: Folder for the output.
        count: How often.

    Raises:
        LabError: curl failed; the message has its own words.
    """
    # By HTTP/1.1: on one connection of HTTP/2 curl would make all requests.
    argv = ["curl", "--silent", "--show-error", "--insecure", "--no-sessionid", "--http1.1"]
    one = ["--output", "/dev/null", "--write-out", _FORMAT, "--connect-to", f"::{target.there}"]
    words: list[str] = []
    for number in range(count):
        words += ["--next", *argv[1:]] if number else []
        words += [*one, "--header", "Connection: close", target.url]
    done = process.client(flow, [*argv, *words], raw, 1 + count / 20)
    try:
        return parse(done.stdout)
    except ValueError as error:
        said = f"{error} {done.stderr}".strip()
        raise done.error(f"curl in {flow.source} of {target.url}", said) from error
