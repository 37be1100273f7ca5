"""Relays TCP: two connections, and what comes in at one goes out at the other.

Source: ``pkg/proxy/userspace/proxysocket.go`` (``TryConnectEndpoints``, ``ProxyTCP``), Kubernetes
1.25.
"""

from __future__ import annotations

import asyncio
from typing import cast

from testbed.relay import origin
from testbed.relay.table import Backend, Table

ATTEMPTS = (0.25, 0.5, 1.0, 2.0)
"""Seconds that each attempt to connect to an endpoint has."""


class Side(asyncio.Protocol):
    """One of the two connections: writes to the other what it reads, no faster than that sends."""

    def __init__(self, other: Side | None = None) -> None:
        self.other = other
        self.heard_all = self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Passes data on."""
        if self.other is not None:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        """Passes the end of this direction on; the other one may go on until it ends."""
        self.heard_all = True
        if self.other is not None and not self.other.ended:
            self.other.transport.write_eof()
            if self.other.heard_all:
                self.transport.close()
        return True

    def pause_writing(self) -> None:
        """Too much waits to be sent here: nothing is read there."""
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """What waited has been sent."""
        if self.other is not None and not self.other.ended:
            self.other.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """Ends the other one with this one, a reset by a reset."""
        self.ended = True
        if self.other is not None and not self.other.ended:
            self.other.transport.abort() if error else self.other.transport.close()


class Client(Side):
    """The side of the client, which is there first."""

    def __init__(self, table: Table) -> None:
        super().__init__()
        self._table = table

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connects to an endpoint, and reads nothing before."""
        super().connection_made(transport)
        loop = asyncio.get_running_loop()
        # Soon, not now: Python 3.11.2, which Debian 12 has, begins to read right after this.
        loop.call_soon(self.transport.pause_reading)
        self._task = loop.create_task(self._join())

    async def _join(self) -> None:
        backend = self._backend()
        client = self.transport.get_extra_info("peername")[0]
        if backend is None or not await self._connect(backend, client):
            self.transport.close()
        elif self.ended and self.other is not None:
            self.other.transport.close()
        else:
            self.transport.resume_reading()

    def _backend(self) -> Backend | None:
        try:
            place = origin.of_tcp(self.transport.get_extra_info("socket"))
        except OSError:
            return None
        return self._table.find("TCP", *place)

    async def _connect(self, backend: Backend, client: str) -> bool:
        """Whether an endpoint has been found that can be reached."""
        loop, again = asyncio.get_running_loop(), False
        for seconds in ATTEMPTS:
            endpoint = backend.next(client, loop.time(), again)
            if endpoint is None:
                return False
            try:
                connecting = loop.create_connection(lambda: Side(self), *endpoint)
                _, self.other = await asyncio.wait_for(connecting, seconds)
            except OSError:  # TimeoutError is one
                again = True
                continue
            return True
        return False
