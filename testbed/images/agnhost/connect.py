"""``agnhost connect HOST:PORT``: tries a connection and says why it fails.

Exit code 0 if it succeeds. If not, 1, and on stderr a line that begins with:

- ``UNKNOWN``: an error that is none of the network, such as an address without a port;
- ``DNS``: the name does not resolve;
- ``TIMEOUT``: nobody answered within ``--timeout`` (by default the kernel's own patience);
- ``REFUSED``: the port is closed;
- ``OTHER``: anything else, such as no route to the host.

With ``--protocol udp`` it sends ``--udp-data`` (``hostname``) and wants an answer.

Source: kubernetes ``test/images/agnhost/connect/connect.go``.
"""

from __future__ import annotations

import argparse
import socket
import sys
from typing import NoReturn

from testbed.images.agnhost.common import SCTP, duration, flags

MAX_ANSWER = 1024


def main(arguments: list[str]) -> None:
    """Tries once, and exits."""
    parser = flags("connect")
    parser.add_argument("destination")
    parser.add_argument("--timeout", type=_timeout, default=0.0)
    parser.add_argument("--protocol", choices=["tcp", "udp", "sctp"], default="tcp")
    parser.add_argument("--udp-data", default="hostname")
    parser.add_argument("--sctp-data", default="hostname")
    options = parser.parse_args(arguments)
    kinds = {"tcp": (socket.SOCK_STREAM, 0), "udp": (socket.SOCK_DGRAM, 0)}
    kind, protocol = kinds.get(options.protocol, (socket.SOCK_STREAM, SCTP))
    family, address = _resolved(options.destination, kind)
    data = {"udp": options.udp_data, "sctp": options.sctp_data}.get(options.protocol)
    try:
        with socket.socket(family, kind, protocol) as client:
            client.settimeout(options.timeout or None)
            client.connect(address)
            if data is not None:
                _exchange(client, data)
    except TimeoutError:
        _fail("TIMEOUT")
    except ConnectionRefusedError:
        _fail("REFUSED")
    except OSError as error:
        _fail(f"OTHER: dial {options.protocol} {options.destination}: {error.strerror or error}")


def _timeout(text: str) -> float:
    try:
        return duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _resolved(destination: str, kind: int) -> tuple[int, tuple[object, ...]]:
    """Family and socket address of ``HOST:PORT`` or ``[IPv6]:PORT``."""
    host, colon, port = destination.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        why = "too many colons in address" if colon else "missing port in address"
        _fail(f"UNKNOWN: address {destination}: {why}")
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=kind)
    except OSError as error:
        _fail(f"DNS: lookup {host}: {error.strerror or error}")
    return found[0][0], found[0][4]


def _exchange(client: socket.socket, data: str) -> None:
    """Sends a line and wants an answer."""
    client.send(f"{data}\n".encode())
    if not client.recv(MAX_ANSWER):
        _fail("OTHER: No data received from the server.")


def _fail(text: str) -> NoReturn:
    print(text, file=sys.stderr)
    sys.exit(1)
