"""Waits until a DNS server answers: ``python3 -m testbed.lab.dnsready ADDRESS``."""

from __future__ import annotations

import socket
import sys
import time

_QUERY = b"\0\7\1\0\0\1\0\0\0\0\0\0\0\0\2\0\1"  # the root's NS records (RFC 1035, section 4.1)
_PATIENCE = 15.0
_AGAIN = 0.05  # seconds between questions: a server that is not there yet refuses or is silent


def main(address: str) -> int:
    """Asks until there is an answer; 0 if there was one in time."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        began = time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(1.0)
            try:
                asking.connect((address, 53))
                asking.send(_QUERY)
                asking.recv(512)
            except OSError:
                time.sleep(max(0.0, began + _AGAIN - time.monotonic()))
            else:
                return 0
    print(f"{address} does not answer on port 53", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
