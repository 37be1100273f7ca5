"""Keeping within the kernel's neighbour table, which all namespaces of the machine share.

The table holds 1,024 dynamic entries by default (``net.ipv4.neigh.default.gc_thresh3``, arp(7)), an
entry is safe for 5 s, and a packet that would need one more is dropped. Sixty pods that all talk to
each other on their bridges need more. So trials go in waves, and the entries of a wave are removed
before the next one; the kernel asks by ARP again when it needs one.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from testbed.conformance.rounds import Round, Trial
from testbed.conformance.sockets import Sockets
from testbed.conformance.targets import Target

_MOST = 400  # entries of a wave; others on this machine need some, too
_NOTE = (
    "meanwhile the machine's neighbour table was full, which alone loses packets: end other labs, "
    "or raise net.ipv4.neigh.default.gc_thresh3"
)
_HEADER, _NEIGHBOUR = struct.Struct("=IHHII"), struct.Struct("=BxxxiHBB")
_NEW, _DELETE, _GET = 28, 29, 30  # RTM_*NEIGH (rtnetlink(7))
_REQUEST, _DUMP = 0x1, 0x300
_DONE, _ERROR = 3, 2
_STAYS = 0x80 | 0x40  # NUD_PERMANENT, NUD_NOARP


def waves(trials: Sequence[Trial]) -> list[list[Trial]]:
    """The trials in waves, each of which needs few enough neighbour entries."""
    found: list[list[Trial]] = [[]]
    entries: set[tuple[str, str]] = set()
    for trial in trials:
        entries |= _entries(trial)
        if len(entries) > _MOST:
            found.append([])
            entries = _entries(trial)
        found[-1].append(trial)
    return found


def _entries(trial: Trial) -> set[tuple[str, str]]:
    """Who needs to know whose hardware address; on a bridge, where that is most."""
    a, b = trial.sender, trial.receiver
    if a.node == b.node and not a.is_node and not b.is_node:
        return {(a.name, b.name), (b.name, a.name)}
    pods = [end.name for end in (a, b) if not end.is_node]
    return {pair for pod in pods for pair in ((pod, ""), ("", pod))}


def overflows() -> int:
    """How often the machine's table was full so far; 0 if its kernel does not count that."""
    path = Path("/proc/net/stat/arp_cache")  # a row for each processor
    head, *rows = path.read_text().splitlines() if path.exists() else ("table_fulls",)
    column = head.split().index("table_fulls")
    return sum(int(row.split()[column], 16) for row in rows)


class Part(Protocol):
    """What serves trials: sockets that a loop listens to."""

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Has the loop serve its sockets."""


def run(
    round_: Round,
    sockets: Sockets,
    nodes: Sequence[Target],
    parts: Iterable[Part],
    start: Callable[[Trial], None],
    repeat: Callable[[Trial], None],
) -> None:
    """Runs a round in waves.

    Args:
        round_: The round.
        sockets: Enters the namespaces.
        nodes: The nodes, which learn of the pods whose packets they forward.
        parts: What serves its trials.
        start: Starts a trial.
        repeat: Sends again what may have been lost.
    """
    places = {t: i for i, t in enumerate(dict.fromkeys(t.receiver for t in round_.trials))}
    trials = sorted(round_.trials, key=lambda trial: places[trial.receiver])

    async def main() -> None:
        for part in parts:
            part.listen(asyncio.get_running_loop())
        await round_.settle(waves(trials), start, repeat, forget)

    def forget(wave: Sequence[Trial]) -> None:
        _forget((*nodes, *(end for t in wave for end in (t.sender, t.receiver))), sockets)

    before = overflows()
    asyncio.run(main())
    if overflows() > before:
        round_.note = _NOTE


def _forget(targets: Iterable[Target], sockets: Sockets) -> None:
    """Removes the dynamic entries of the targets' namespaces."""
    for target in dict.fromkeys(targets):
        if not target.is_nobody:
            sockets.inside(target, _flush)


def _flush() -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        link.send(_message(_GET, _REQUEST | _DUMP, _NEIGHBOUR.pack(socket.AF_INET, 0, 0, 0, 0)))
        for entry in list(_dump(link)):
            with suppress(OSError):
                link.send(_message(_DELETE, _REQUEST, entry))


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body


def _dump(link: socket.socket) -> Iterator[bytes]:
    """The bodies of the entries that are not there to stay, which also name them for deletion."""
    while True:
        data, offset = link.recv(1 << 17), 0
        while offset < len(data):
            length, kind, *_ = _HEADER.unpack_from(data, offset)
            if kind in (_DONE, _ERROR):
                return
            body = data[offset + _HEADER.size : offset + length]
            _, _, state, *_ = _NEIGHBOUR.unpack_from(body)
            if kind == _NEW and not state & _STAYS:
                yield body
            offset += (length + 3) & ~3
