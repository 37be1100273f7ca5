"""Asking what a probe asks: HTTP, TCP and gRPC from the pod's node, commands in the container.

An answer is good, bad, or none at all: a question that could not be put (a port's name that nobody
knows, a program that is not there) is put three times and then forgotten, as the kubelet does it.
Source: ``pkg/kubelet/prober/prober.go``, ``pkg/probe/http``, ``pkg/probe/tcp``, ``pkg/probe/exec``,
``pkg/probe/grpc``.

A socket belongs to the network namespace in which it was made, so the event loop's thread enters
the node's for no more than that; no thread and no process waits for an answer.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from testbed.kernel import join, syscalls
from testbed.kernel.processes import ended, spawn
from testbed.kubelet import grpcprobe, httpprobe
from testbed.kubelet.programs import Program
from testbed.kubelet.readiness import GOOD, Answer, Unasked
from testbed.objects import Container, expand
from testbed.objects.probe import Exec, Grpc, HttpGet, Probe, TcpSocket

_TRIES = 3
_AT_ONCE = 64


class Site:
    """Where the questions of all pods are asked from.

    Attributes:
        turns: Lets so many be asked at the same time that none runs out of time waiting for a CPU.
    """

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Prober:
    """Asks the questions of one container.

    Attributes:
        container: As declared.
        program: What it runs.
        address: Its pod's.
        namespaces: Gives the descriptors of its pod's namespaces.
        node: Gives the descriptor of its node's network namespace; None is the process's own.
        site: Shared by all.
    """

    container: Container
    program: Program
    address: str
    namespaces: Callable[[], join.Descriptors]
    node: Callable[[], int | None]
    site: Site

    async def ask(self, probe: Probe) -> Answer:
        """Asks once, with up to three tries where it could not even be asked."""
        async with self.site.turns:
            answer = Answer(None)
            for _ in range(_TRIES):
                try:
                    return await self._ask(probe)
                except (Unasked, OSError) as error:
                    answer = Answer(None, str(error))
            return answer

    async def _ask(self, probe: Probe) -> Answer:
        handler, seconds = probe.handler, float(probe.timeout_seconds)
        if isinstance(handler, Exec):
            return await self._exec(handler, seconds)
        if isinstance(handler, HttpGet):
            return await self._get(handler, seconds)
        if isinstance(handler, Grpc):
            target = (self.address, self._port(handler.port))
            return await grpcprobe.check(target, handler.service, seconds, self._socket)
        return await self._connect(handler, seconds)

    def _port(self, port: int | str) -> int:
        """A port's number, by the name that the container gives it (``ResolveContainerPort``)."""
        if isinstance(port, str):
            named = [own.container_port for own in self.container.ports if own.name == port]
            if not named and not port.isdecimal():
                raise Unasked(f"port {port} not found")
            port = named[0] if named else int(port)
        if not 0 < port < 65536:
            raise Unasked(f"invalid port number: {port}")
        return port

    def _socket(self) -> socket.socket:
        """A TCP socket of the node's."""
        node = self.node()
        if node is None:
            made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        else:
            made = _socket_in(node)
        made.setblocking(False)
        return made

    async def _connect(self, handler: TcpSocket, seconds: float) -> Answer:
        target = (handler.host or self.address, self._port(handler.port))
        with self._socket() as link:
            try:
                async with asyncio.timeout(seconds):
                    await asyncio.get_running_loop().sock_connect(link, target)
            except TimeoutError:
                return Answer(False, f"{_shown(target)}: no answer within {seconds:g} s")
            except OSError as error:
                why = os.strerror(error.errno) if error.errno else str(error)
                return Answer(False, f"{_shown(target)}: {why}")
        return GOOD

    async def _get(self, get: HttpGet, seconds: float) -> Answer:
        url = httpprobe.url(get, get.host or self.address, self._port(get.port))
        try:
            return await httpprobe.get(url, httpprobe.headers(get), seconds, self._socket)
        except TimeoutError:
            return Answer(False, f"{url}: no answer within {seconds:g} s")

    async def _exec(self, handler: Exec, seconds: float) -> Answer:
        """The variables of ``$(VAR)`` are those with a value of their own, as in the kubelet."""
        known = {item.name: item.value for item in self.container.env if item.value is not None}
        argv = tuple(expand(word, known) for word in handler.command)
        if shutil.which(argv[0], path=self.program.environment.get("PATH")) is None:
            raise Unasked(f'exec: "{argv[0]}": executable file not found in $PATH')
        place = (self.namespaces(), self.program.environment, self.program.directory)
        process = spawn(argv, *place, subprocess.DEVNULL)
        try:
            async with asyncio.timeout(seconds):
                code = await ended(process)
        except TimeoutError:
            return Answer(False, f"{argv[0]}: did not end within {seconds:g} s")
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()  # killed: not a matter of time
        return GOOD if code == 0 else Answer(False, f"{argv[0]}: exit code {code}")


def _socket_in(namespace: int) -> socket.socket:
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.setns(namespace, syscalls.CLONE_NEWNET)
        try:
            return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        finally:
            syscalls.setns(home, syscalls.CLONE_NEWNET)
    finally:
        os.close(home)


def _shown(target: tuple[str, int]) -> str:
    return f"{target[0]}:{target[1]}"
