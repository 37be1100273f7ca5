"""Exchanges by TCP: handshake, a message, its echo."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress

from testbed.conformance.rounds import Round, Trial, describe
from testbed.conformance.sockets import Sockets
from testbed.conformance.targets import Target

NO_ANSWER = "no answer to SYN"
_OPTIONS, _ADVERTISED_MSS = 5, 84  # offsets in struct tcp_info (linux/tcp.h)
_TIMESTAMPS = 1  # TCPI_OPT_TIMESTAMPS: they take 12 bytes, which the kernel has subtracted


class Tcp:
    """The TCP trials of a round: a listener in each receiver, a client for each trial.

    Args:
        round_: The round.
        trials: Those of its trials that are by TCP.
        sockets: Makes the sockets.
    """

    def __init__(self, round_: Round, trials: Sequence[Trial], sockets: Sockets) -> None:
        self._round = round_
        self._listeners: dict[Target, socket.socket] = {}
        senders: dict[Target, list[Trial]] = {}
        for trial in trials:
            senders.setdefault(trial.sender, []).append(trial)
            if trial.receiver not in self._listeners:
                self._listeners[trial.receiver] = sockets.listener(trial.receiver)
        self._clients = {
            trial: client
            for sender, own in senders.items()
            for trial, client in zip(own, sockets.clients(sender, len(own)), strict=True)
        }

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Has the loop serve the receivers."""
        self._loop = loop
        for target, listener in self._listeners.items():
            loop.add_reader(listener, self._accept, target, listener)

    def start(self, trial: Trial) -> None:
        """Begins the handshake."""
        client = self._clients[trial]
        port = self._listeners[trial.receiver].getsockname()[1]
        code = client.connect_ex((trial.receiver.address, port))
        if code in (0, errno.EINPROGRESS):
            self._loop.add_writer(client, self._connected, trial, client)
        else:
            self._fail(trial, client, f"connect: {describe(code)}")

    def _connected(self, trial: Trial, client: socket.socket) -> None:
        self._loop.remove_writer(client)
        code = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._fail(trial, client, f"connect: {describe(code)}")
            return
        trial.mss = _offered_mss(client)
        if trial.sender.is_node:
            trial.own = client.getsockname()[0]
        message = self._round.message(trial)
        trial.waiting = f"connected, but no echo of {len(message)} bytes"
        self._loop.add_reader(client, self._answered, trial, client)
        client.send(message)

    def _answered(self, trial: Trial, client: socket.socket) -> None:
        self._loop.remove_reader(client)
        sent = self._round.message(trial)
        try:
            got = client.recv(len(sent))
        except OSError as error:
            self._fail(trial, client, f"connected, but then {describe(error.errno or 0)}")
            return
        if got == sent:
            self._round.end(trial)
            client.close()
        else:
            self._fail(trial, client, f"sent {sent.hex()}, got {got.hex() or 'nothing'} back")

    def _fail(self, trial: Trial, client: socket.socket, error: str) -> None:
        self._round.end(trial, error)
        client.close()

    def _accept(self, target: Target, listener: socket.socket) -> None:
        with suppress(BlockingIOError):
            while True:
                server, (source, _) = listener.accept()
                server.setblocking(False)
                self._loop.add_reader(server, self._serve, target, server, source)

    def _serve(self, target: Target, server: socket.socket, source: str) -> None:
        self._loop.remove_reader(server)
        with server, suppress(OSError):
            data = server.recv(64)
            found = self._round.find(data)
            if found is not None:
                trial, _ = found
                if trial.receiver == target:
                    trial.seen = source
                    server.send(data)
                else:
                    self._round.end(trial, f"the connection arrived at {target}")


def _offered_mss(client: socket.socket) -> int:
    """The MSS option of the socket's SYN, in bytes."""
    information = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    (advertised,) = struct.unpack_from("=I", information, _ADVERTISED_MSS)
    return int(advertised) + 12 * (information[_OPTIONS] & _TIMESTAMPS)
