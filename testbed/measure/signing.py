"""How many signatures a second one core of this machine makes: what a TLS handshake cannot beat.

A server with an ECDSA P-256 key signs once in each full handshake (RFC 8446, 4.4.3), so this stands
beside handshakes per second as a reference.
"""

from __future__ import annotations

import re
from pathlib import Path

from testbed.measure import process
from testbed.measure.process import Flow

SECONDS = 1  # openssl's least, for each of signing and checking
_FOUND = re.compile(r"^\+F4:\d+:256:([\d.]+):[\d.]+$", re.MULTILINE)


def parse(text: str) -> float:
    """Signatures per second, from what ``openssl speed -mr ecdsap256`` prints.

    Raises:
        ValueError: It is not there.
    """
    found = _FOUND.search(text)
    if found is None:
        raise ValueError(text.strip()[-500:] or "it printed nothing")
    return float(found[1])


def run(flow: Flow, raw: Path) -> float:
    """Signatures per second by openssl, on the core of the servers' clients.

    Raises:
        LabError: openssl failed; the message has its own words.
    """
    argv = ["openssl", "speed", "-mr", "-seconds", str(SECONDS), "ecdsap256"]
    done = process.client(flow, argv, raw, 2 * SECONDS)
    try:
        return parse(done.stdout)
    except ValueError as error:
        raise done.error("openssl speed", f"{error} {done.stderr}".strip()) from error
