"""The servers at the health check node ports of all nodes: one thread, and no process.

A listening socket is made in its node's network namespace; connections to it are served by an event
loop of this module's, which is there as soon as there is a Service that wants it. What is told is
:mod:`testbed.proxy.servicehealth`. As kube-proxy, it answers whatever is asked for in the same way,
and goes without a port that somebody else has, until a change finds it free. Unlike it, it ends
every connection after its answer.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from testbed.cluster.serviceview import ProxyView, ServicePortName
from testbed.kernel.executor import Executor
from testbed.proxy.contract import RunsProgram
from testbed.proxy.program import NodeProgram
from testbed.proxy.servicehealth import Check, Key, addresses, answer, checks

_BACKLOG = 64
_AT_ONCE = 256  # connections, of the whole lab; further ones are dropped
_LONGEST_REQUEST = 8192  # bytes
_PATIENCE = 5.0  # seconds that a client has for its request, and for taking the answer

Place = tuple[str, Key]
"""Namespace of a node, and a Service."""


class ServiceHealth:
    """The health check node ports of a lab.

    Args:
        executor: Enters namespaces.
        programs: Namespace of each node → its proxy's program.

    Attributes:
        healthy: Whether the nodes' rules are what they should be.
    """

    def __init__(self, executor: Executor, programs: Mapping[str, NodeProgram]) -> None:
        own = {n: p for n, p in programs.items() if not isinstance(p.mode, RunsProgram)}
        self._nodes = {name: program.node.name for name, program in own.items()}
        self._addresses = {name: addresses(p.mode, p.node) for name, p in own.items()}
        self._executor, self.healthy = executor, True
        self._checks: Mapping[Key, Check] = {}
        self._open: dict[Place, tuple[int, list[asyncio.Server]]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._busy = 0

    def update(self, view: ProxyView, changed: Iterable[ServicePortName]) -> None:
        """Tells what is so now, and opens and closes ports; returns when that is done."""
        self._checks = checks(view, self._checks, changed)
        wanted = {(n, key): c.port for key, c in self._checks.items() for n in self._nodes}
        gone = [place for place, (port, _) in self._open.items() if wanted.get(place) != port]
        for place in gone:
            self._do(self._close(self._open.pop(place)[1]))
        for place in wanted.keys() - self._open.keys():
            try:
                sockets = self._executor.within(place[0], partial(self._listen, place))
            except OSError as error:
                name, shown = self._nodes[place[0]], "/".join(place[1])
                why = f'failed to start healthcheck "{shown}" on port {wanted[place]}: {error}'
                print(f"proxies: node {name} {why}", file=sys.stderr, flush=True)
                continue
            serve = partial(self._serve, place)
            self._open[place] = wanted[place], self._do(self._start(sockets, serve))

    def _listen(self, place: Place) -> list[socket.socket]:
        """Sockets at the addresses of a node; the thread is in its namespace."""
        found: list[socket.socket] = []
        port = self._checks[place[1]].port
        try:
            for address in self._addresses[place[0]]:
                found.append(socket.create_server((address, port), backlog=_BACKLOG))
        except OSError:
            for one in found:
                one.close()
            raise
        return found

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            run = self._loop.run_forever
            threading.Thread(target=run, name="service-health", daemon=True).start()
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    @staticmethod
    async def _start(
        sockets: list[socket.socket], serve: Callable[..., Coroutine[Any, Any, None]]
    ) -> list[asyncio.Server]:
        return [
            await asyncio.start_server(serve, sock=one, limit=_LONGEST_REQUEST) for one in sockets
        ]

    @staticmethod
    async def _close(servers: list[asyncio.Server]) -> None:
        for server in servers:
            server.close()

    async def _serve(
        self, place: Place, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self._busy >= _AT_ONCE:
            writer.transport.abort()
            return
        self._busy += 1
        try:
            with suppress(OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
                async with asyncio.timeout(_PATIENCE):
                    await self._answer(place, reader, writer)
        finally:
            self._busy -= 1
            writer.transport.abort()  # what was answered has gone out, or will never

    async def _answer(
        self, place: Place, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        name, key = place
        if (check := self._checks.get(key)) is None:
            return
        count = check.endpoints.get(self._nodes[name], 0)
        body = not request.startswith(b"HEAD ")
        writer.write(answer(key, count, healthy=self.healthy, body=body))
        writer.close()
        await writer.wait_closed()
