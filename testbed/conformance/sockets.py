"""Sockets in network namespaces that this process is not in.

setns(2) moves one thread, and a socket belongs for ever to the namespace of the thread that made
it (network_namespaces(7)). So one thread goes from namespace to namespace and makes sockets, and
the others use them from where they are.
"""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import Self, TypeVar

from testbed.conformance.targets import Target
from testbed.kernel import syscalls

T = TypeVar("T")

_BUFFER = 4 << 20  # bytes: everybody may answer one target at once
_BACKLOG = 4096
_SO_RCVBUFFORCE = 33


class Sockets:
    """Makes non-blocking sockets; all are closed at the end of its ``with`` block."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "sockets")
        self._open = ExitStack()
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()
        self._thread.shutdown()

    def listener(self, target: Target) -> socket.socket:
        """A TCP listener on the target's address, at a port that the kernel picks."""
        made = self._make(target, lambda: [_bound(socket.SOCK_STREAM, target.address)])[0]
        made.listen(_BACKLOG)
        return made

    def clients(self, target: Target, count: int) -> list[socket.socket]:
        """TCP sockets that connect from the target."""
        return self._make(
            target,
            lambda: [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)],
        )

    def udp(self, target: Target) -> socket.socket:
        """A UDP socket on the target's address, at a port that the kernel picks."""
        made = self._make(target, lambda: [_bound(socket.SOCK_DGRAM, target.address)])[0]
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        return made

    def icmp(self, target: Target) -> socket.socket:
        """A raw socket that receives all ICMP packets of the target (raw(7))."""
        made = self._make(
            target, lambda: [socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)]
        )[0]
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        return made

    def has_address(self, target: Target) -> bool:
        """Whether the target's address is one of its namespace's own."""

        def attempt() -> list[socket.socket]:
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                made.bind((target.address, 0))
            except OSError:
                made.close()
                return []
            return [made]

        return bool(self._make(target, attempt))

    def inside(self, target: Target, job: Callable[[], T]) -> T:
        """What a job returns that is done in the target's network namespace."""

        def entered() -> T:
            syscalls.setns(target.netns, syscalls.CLONE_NEWNET)
            return job()

        return self._thread.submit(entered).result()

    def _make(
        self, target: Target, build: Callable[[], Iterable[socket.socket]]
    ) -> list[socket.socket]:
        made = self.inside(target, lambda: list(build()))
        for item in made:
            item.setblocking(False)
            self._open.callback(item.close)
        return made


def _bound(kind: int, address: str) -> socket.socket:
    """Bound to the address, or to any if the namespace does not have it (its own check says so)."""
    made = socket.socket(socket.AF_INET, kind)
    try:
        made.bind((address, 0))
    except OSError:
        made.bind(("", 0))
    return made
