"""Exchanges by datagrams: UDP, answered by the receiver's socket, and ICMP echo, by its kernel."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress

from testbed.conformance.rounds import ANSWER, Round, Trial, describe
from testbed.conformance.sockets import Sockets
from testbed.conformance.targets import Target

NO_DATAGRAM = "the datagram did not arrive"
NO_ECHO = "the echo request did not arrive"
_ECHO_REPLY, _UNREACHABLE, _ECHO, _TIME_EXCEEDED = 0, 3, 8, 11
_CODES = {  # of "destination unreachable" (RFC 792, RFC 1812)
    0: "network unreachable",
    1: "host unreachable",
    2: "protocol unreachable",
    3: "port unreachable",
    4: "fragmentation needed",
    9: "network prohibited",
    10: "host prohibited",
    13: "communication prohibited",
}


class Udp:
    """The UDP trials of a round.

    Each target asks from one socket and answers from another: if there were only one, the questions
    of two targets to each other would be one connection to conntrack, and the first of them would
    keep the second from being translated.

    Args:
        round_: The round.
        trials: Those of its trials that are by UDP.
        sockets: Makes the sockets.
    """

    def __init__(self, round_: Round, trials: Sequence[Trial], sockets: Sockets) -> None:
        self._round = round_
        self._senders = {t: sockets.udp(t) for t in dict.fromkeys(t.sender for t in trials)}
        self._receivers = {t: sockets.udp(t) for t in dict.fromkeys(t.receiver for t in trials)}

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Has the loop serve all targets."""
        for target, own in (*self._senders.items(), *self._receivers.items()):
            loop.add_reader(own, self._read, target, own)

    def send(self, trial: Trial) -> None:
        """Sends the question, for the first time or again."""
        port = self._receivers[trial.receiver].getsockname()[1]
        try:
            self._senders[trial.sender].sendto(
                self._round.message(trial), (trial.receiver.address, port)
            )
        except OSError as error:
            self._round.end(trial, f"send: {describe(error.errno or 0)}")

    def _read(self, target: Target, own: socket.socket) -> None:
        with suppress(OSError):
            while True:
                data, source = own.recvfrom(256)
                found = self._round.find(data)
                if found is not None:
                    self._take(target, own, *found, source)

    def _take(
        self, target: Target, own: socket.socket, trial: Trial, kind: int, source: tuple[str, int]
    ) -> None:
        if kind == ANSWER:
            _take_answer(self._round, trial, source[0])
        elif target != trial.receiver:
            self._round.end(trial, f"the datagram arrived at {target}")
        else:
            _take_question(trial, source[0])
            own.sendto(self._round.message(trial, ANSWER), source)


class Icmp:
    """The ICMP trials of a round, over a raw socket in each target.

    The raw sockets also hear what routers say of other trials (unreachable, time exceeded).

    Args:
        round_: The round.
        trials: Those of its trials that are by ICMP echo.
        sockets: Makes the sockets.
    """

    def __init__(self, round_: Round, trials: Sequence[Trial], sockets: Sockets) -> None:
        self._round = round_
        targets = dict.fromkeys(end for t in trials for end in (t.sender, t.receiver))
        self._sockets = {t: sockets.icmp(t) for t in targets if not t.is_nobody}

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Has the loop serve all targets."""
        for target, own in self._sockets.items():
            loop.add_reader(own, self._read, target, own)

    def send(self, trial: Trial) -> None:
        """Sends the echo request, for the first time or again."""
        identifier = (self._round.salt + trial.number) & 0xFFFF  # conntrack knows older rounds
        head = struct.pack("!BBHHH", _ECHO, 0, 0, identifier, trial.number >> 16)
        packet = head + self._round.message(trial)
        packet = packet[:2] + struct.pack("!H", _checksum(packet)) + packet[4:]
        try:
            self._sockets[trial.sender].sendto(packet, (trial.receiver.address, 0))
        except OSError as error:
            self._round.end(trial, f"send: {describe(error.errno or 0)}")

    def _read(self, target: Target, own: socket.socket) -> None:
        with suppress(OSError):
            while True:
                packet, (source, _) = own.recvfrom(2048)
                kind, code = packet[(packet[0] & 15) * 4 :][:2]
                found = self._round.find(packet)
                if found is not None:
                    self._take(target, found[0], source, kind, code)

    def _take(self, target: Target, trial: Trial, source: str, kind: int, code: int) -> None:
        if kind == _ECHO_REPLY:
            _take_answer(self._round, trial, source)
        elif kind == _ECHO and target == trial.receiver:
            _take_question(trial, source)
        elif kind == _UNREACHABLE:
            trial.told = f"{source} says: {_CODES.get(code, f'unreachable, code {code}')}"
        elif kind == _TIME_EXCEEDED:
            trial.told, trial.loops = f"{source} says: time to live exceeded, a loop", True


def _take_question(trial: Trial, source: str) -> None:
    trial.seen = source
    trial.waiting = f"arrived, as from {source}, but no answer came back"


def _take_answer(round_: Round, trial: Trial, source: str) -> None:
    wrong = source != trial.receiver.address
    round_.end(trial, f"the answer came from {source}" if wrong else "")


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF
