"""What hosts of a test fabric send and count; it runs on them and needs only the standard library.

``ticks ADDRESS PORTS SECONDS``
    sends a numbered datagram each millisecond from each of PORTS source ports, from 20000 on;
``collect``
    takes them, and prints ``flows``: for each source port how many came, how many came twice, the
    milliseconds of the longest gap between two of them, and how many are missing between the first
    and the last; and how many were ``dropped`` for want of processor time;
``spray ADDRESS PORT COUNT FIRST LAST``
    sends COUNT datagrams from each source port;
``raw DEVICE DESTINATION SOURCE TYPE COUNT``
    sends Ethernet frames, numbered;
``count DEVICE TYPE``
    counts the frames of a type that come in, by their number.

Those that take end when their standard input does, and then nothing more comes.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

PORT = 9000
QUIET = 0.5
"""Seconds without anything after which nothing more is on its way."""


def ticks(address: str, ports: int, seconds: float) -> None:
    sockets = []
    for number in range(20000, 20000 + ports):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(("", number))
        made.connect((address, PORT))
        sockets.append(made)
    print("ready", flush=True)
    start = time.monotonic()
    for tick in range(int(seconds * 1000)):
        for made in sockets:
            with suppress(OSError):  # the own link is down
                made.send(struct.pack("!I", tick))
        time.sleep(max(0.0, start + (tick + 1) / 1000 - time.monotonic()))


def collect() -> None:
    taker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    taker.bind(("", PORT))
    came: dict[int, list[int]] = defaultdict(list)
    for data, (_, port) in _taken(taker):
        came[port].append(struct.unpack("!I", data)[0])
    flows = {port: _summary(numbers) for port, numbers in came.items()}
    print(json.dumps({"flows": flows, "dropped": _dropped()}))


def _taken(taker: socket.socket) -> Iterator[tuple[bytes, Any]]:
    """What comes, until standard input has ended and nothing came for a while."""
    print("ready", flush=True)
    waiting: list[Any] = [taker, sys.stdin]
    while ready := select.select(waiting, [], [], QUIET if len(waiting) == 1 else None)[0]:
        if taker in ready:
            yield taker.recvfrom(2048)
        elif not sys.stdin.read(1):
            waiting.remove(sys.stdin)


def _dropped() -> int:
    """Datagrams that this process came too late to take (udp in proc(5))."""
    lines = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return sum(int(line[-1]) for line in lines if line[1].endswith(f":{PORT:04X}"))


def _summary(numbers: list[int]) -> dict[str, int]:
    ordered = sorted(set(numbers))
    gaps = [b - a - 1 for a, b in pairwise(ordered)]
    return {
        "came": len(ordered),
        "twice": len(numbers) - len(ordered),
        "gap": max(gaps, default=0),
        "missing": sum(gaps),
    }


def spray(address: str, port: int, count: int, first: int, last: int) -> None:
    print("ready", flush=True)
    for number in range(first, last + 1):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
            made.bind(("", number))
            for _ in range(count):
                made.sendto(b"x" * 100, (address, port))


def raw(device: str, destination: str, source: str, kind: int, count: int) -> None:
    print("ready", flush=True)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as made:
        made.bind((device, 0))
        head = b"".join(bytes.fromhex(mac.replace(":", "")) for mac in (destination, source))
        for number in range(count):
            made.send(head + struct.pack("!HI", kind, number) + bytes(46))


def count(device: str, kind: int) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(kind)) as taker:
        taker.bind((device, kind))
        numbers = [struct.unpack("!I", data[14:18])[0] for data, _ in _taken(taker)]
    print(json.dumps({"frames": len(numbers), "numbers": len(set(numbers))}))


PARTS = {part.__name__: part for part in (ticks, collect, spray, raw, count)}


def main() -> None:
    """Calls the part with its words, numbers as such."""
    words = [float(word) if "." in word and word.count(".") == 1 else word for word in sys.argv[2:]]
    PARTS[sys.argv[1]](*(int(w) if isinstance(w, str) and w.isdecimal() else w for w in words))


if __name__ == "__main__":
    main()
