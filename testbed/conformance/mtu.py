"""Packets of exactly the promised size, and of one byte more.

Both are UDP datagrams with the "don't fragment" bit. ``IP_PMTUDISC_PROBE`` has the kernel ignore
the path MTU that it has learned (ip(7)), so what counts is what the interfaces and the path do now.
The larger one goes first: once the other has arrived, it would have, too.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from testbed.conformance import neighbours
from testbed.conformance.pairs import Pair
from testbed.conformance.rounds import OVERSIZE, QUESTION, Round, Trial, describe
from testbed.conformance.sockets import Sockets
from testbed.conformance.targets import Target

_HEADERS = 20 + 8  # IPv4, UDP
_IP_MTU_DISCOVER, _PMTUDISC_PROBE = 10, 3


class FullSize:
    """The trials of a round that is about packet sizes.

    Args:
        round_: The round.
        sockets: Makes the sockets.
        mtu: The promised size in bytes, with the IP header.
    """

    def __init__(self, round_: Round, sockets: Sockets, mtu: int) -> None:
        self._round, self._mtu = round_, mtu
        targets = dict.fromkeys(end for t in round_.trials for end in (t.sender, t.receiver))
        self._sockets = {target: sockets.udp(target) for target in targets}
        for own in self._sockets.values():
            own.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_PROBE)

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Has the loop serve all targets."""
        for target, own in self._sockets.items():
            loop.add_reader(own, self._read, target, own)

    def send(self, trial: Trial) -> None:
        """Sends both packets, for the first time or again."""
        with suppress(OSError):  # that the larger one is refused is as it should be
            self._send(trial, OVERSIZE, self._mtu + 1)
        try:
            self._send(trial, QUESTION, self._mtu)
        except OSError as error:
            reason = describe(error.errno or 0)
            if error.errno == errno.EMSGSIZE:
                reason += ": the sender's own interface has a smaller MTU"
            self._round.end(trial, f"{self._mtu} bytes refused: {reason}")

    def _send(self, trial: Trial, kind: int, size: int) -> None:
        port = self._sockets[trial.receiver].getsockname()[1]
        data = self._round.message(trial, kind).ljust(size - _HEADERS, b"\0")
        self._sockets[trial.sender].sendto(data, (trial.receiver.address, port))

    def _read(self, target: Target, own: socket.socket) -> None:
        with suppress(BlockingIOError):
            while True:
                data = own.recv(self._mtu + 1)
                found = self._round.find(data)
                if found is not None and found[0].receiver == target:
                    self._take(*found, len(data) + _HEADERS)

    def _take(self, trial: Trial, kind: int, size: int) -> None:
        if kind == OVERSIZE:
            trial.oversize = True
        elif size == self._mtu:
            self._round.end(trial)
        else:
            self._round.end(trial, f"sent {self._mtu} bytes, {size} arrived")


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it.

    Attributes:
        count: How many paths were checked.
        failures: What is wrong with which.
        seconds: How long it took.
    """

    count: int
    failures: tuple[str, ...]
    seconds: float


def run(pairs: Sequence[Pair], mtu: int, sockets: Sockets, nodes: Sequence[Target]) -> Found:
    """Checks the paths of some pairs.

    Args:
        pairs: Sender and receiver; small packets pass between them.
        mtu: The promised size in bytes, with the IP header.
        sockets: Makes the sockets.
        nodes: All nodes.
    """
    waiting = f"a packet of {mtu} bytes with DF did not arrive (small ones do)"
    round_ = Round([Trial(sender, receiver, waiting) for sender, receiver in pairs])
    packets = FullSize(round_, sockets, mtu)

    neighbours.run(round_, sockets, nodes, (packets,), packets.send, packets.send)
    too_large = tuple(
        f"{t.sender} → {t.receiver}: a packet of {mtu + 1} bytes with DF arrived whole"
        for t in round_.trials
        if t.oversize
    )
    return Found(len(pairs), round_.failures(round_.trials) + too_large, round_.seconds)
