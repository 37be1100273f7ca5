"""Relays UDP: a session for each client of a Service, which ends when nothing is sent any more.

Source: ``pkg/proxy/userspace/proxysocket.go`` (``udpProxySocket``), Kubernetes 1.25; the time is
kube-proxy's ``--udp-timeout``.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from testbed.relay.origin import Pair, Udp
from testbed.relay.table import Table

IDLE = 0.25
"""Seconds without a datagram in either direction after which a session ends."""

_SIZE = 1 << 16
_AT_ONCE = 64


class Port:
    """A port of the relay.

    Args:
        table: What is where.
        origin: Says where clients wanted to go.
        relay: Address and port.
    """

    def __init__(self, table: Table, origin: Udp, relay: Pair) -> None:
        self._table, self._origin, self._relay = table, origin, relay
        self._sessions: dict[Pair, Session] = {}
        self._loop = asyncio.get_running_loop()
        self.socket = _socket()
        self.socket.bind(relay)
        self._loop.add_reader(self.socket.fileno(), self._readable)

    def _readable(self) -> None:
        with suppress(BlockingIOError):
            for _ in range(_AT_ONCE):
                data, client = self.socket.recvfrom(_SIZE)
                session = self._sessions.get(client) or self._begin(client)
                if session is not None:
                    session.send(data)

    def _begin(self, client: Pair) -> Session | None:
        place = self._origin.of(self._relay, client)
        backend = self._table.find("UDP", *place) if place else None
        endpoint = backend.next(client[0], self._loop.time()) if backend else None
        if endpoint is None:
            return None
        self._sessions[client] = session = Session(self, client, endpoint)
        return session

    def end(self, client: Pair) -> None:
        """Forgets a session."""
        del self._sessions[client]


class Session:
    """A client and its endpoint.

    Args:
        port: Where the client is known.
        client: The client.
        endpoint: The endpoint.
    """

    def __init__(self, port: Port, client: Pair, endpoint: Pair) -> None:
        self._port, self._client, self._loop = port, client, asyncio.get_running_loop()
        self._socket = _socket()
        self._socket.connect(endpoint)
        self._loop.add_reader(self._socket.fileno(), self._readable)
        self._used = self._loop.time()
        self._timer = self._loop.call_later(IDLE, self._look)

    def send(self, data: bytes) -> None:
        """Sends a datagram to the endpoint; what cannot be sent is lost, as UDP has it."""
        self._used = self._loop.time()
        with suppress(OSError):
            self._socket.send(data)

    def _readable(self) -> None:
        try:
            for _ in range(_AT_ONCE):
                data = self._socket.recv(_SIZE)
                self._used = self._loop.time()
                self._port.socket.sendto(data, self._client)
        except BlockingIOError:
            return
        except OSError:  # refused: nobody listens there
            self._end()

    def _look(self) -> None:
        rest = self._used + IDLE - self._loop.time()
        if rest > 0:
            self._timer = self._loop.call_later(rest, self._look)
        else:
            self._end()

    def _end(self) -> None:
        self._timer.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        self._port.end(self._client)


def _socket() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
