"""The Kubernetes API's process (:mod:`testbed.api`): started on demand, told what changes.

The lab daemon has the listening sockets: one in each node's network namespace, where pods reach it,
and those outside. It does not accept; it waits for the first connection, as inetd(8) does, and then
starts the process and hands it the sockets. So a lab whose API nobody uses has no such process and
starts no later for it. When the process dies, however it dies, the lab goes on, and the next
connection starts another one.

A thread tells the process what changes. If the process cannot keep up the thread waits, and it
rests as long as it works; meanwhile changes come together, and nothing else in the lab waits.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from testbed.errors import LabError
from testbed.kernel.executor import Executor
from testbed.kernel.sandbox import STATE
from testbed.kubeconfig import PORT
from testbed.lab import protocol
from testbed.lab.ledger import Change, Ledger

LOG = STATE / "api.log"
_BACKLOG = 128
_AT_ONCE = 200  # objects in a message: encoding one keeps other threads waiting for 1 to 2 ms
_LONGEST_PAUSE = 60.0  # seconds between attempts, when the process cannot start


@dataclass(frozen=True)
class Door:
    """A listening socket (:class:`testbed.api.guard.Door`).

    Attributes:
        kind: ``node``, ``owner`` or ``loopback``.
        listener: The socket.
        table: Of ``loopback``, the descriptor of ``/proc/net/tcp``.
    """

    kind: str
    listener: socket.socket
    table: int | None = None

    @property
    def descriptors(self) -> list[int]:
        """What the process gets of it."""
        return [self.listener.fileno(), *([] if self.table is None else [self.table])]


def doors(executor: Executor, names: Iterable[str]) -> list[Door]:
    """The API's doors on nodes: :data:`PORT` on all addresses, as a pod reaches them.

    Args:
        executor: The thread that enters network namespaces.
        names: The nodes' namespaces, by their names in the plan.

    Raises:
        LabError: The port is taken.
    """

    def listen(name: str) -> Door:
        with executor.namespaces[name].entered():
            try:
                return Door("node", socket.create_server(("", PORT), backlog=_BACKLOG))
            except OSError as error:
                raise LabError(f"{name}: port {PORT} of the API: {error.strerror}") from None

    return executor.run(lambda: [listen(name) for name in names])


class ApiServer:
    """Keeps the API's process of one lab.

    Args:
        ledger: What it serves.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._doors: list[Door] = []
        self._outside: dict[int, int] = {}
        self._lock = threading.Lock()
        self._news = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def start(self) -> None:
        """Waits for connections in a thread of its own."""
        threading.Thread(target=self._run, name="api", daemon=True).start()

    def add(self, door: Door) -> None:
        """Adds a door, which is closed with the lab."""
        self._doors.append(door)
        self.notify()

    def notify(self) -> None:
        """Says that something may have changed; returns at once."""
        os.eventfd_write(self._news, 1)

    def open_outside(self, where: int, descriptors: list[int]) -> int | None:
        """The port that leads to the API from outside, on the loopback interface of the caller.

        Args:
            where: The caller's network namespace, by its inode number.
            descriptors: A socket that listens there and ``/proc/net/tcp`` of there; they are
                closed if there is a port already. Empty for just asking.

        Returns:
            None if there is none, and none was given.
        """
        with self._lock:
            if where not in self._outside and descriptors:
                number, table = descriptors
                listener = socket.socket(fileno=number)
                self._outside[where] = listener.getsockname()[1]
                self.add(Door("loopback", listener, table))
                return self._outside[where]
        for descriptor in descriptors:
            os.close(descriptor)
        return self._outside.get(where)

    def _run(self) -> None:
        pause = 0.0
        while True:
            self._await_client(pause)
            began = time.monotonic()
            with self._process() as feed, suppress(OSError):
                self._tell(feed, self._ledger.follow())
                protocol.send(feed, {"ready": self._ledger.version})
                self._serve(feed)
            self._ledger.unfollow()
            lived = time.monotonic() - began
            pause = 0.0 if lived > _LONGEST_PAUSE else min(max(1.0, 2 * pause), _LONGEST_PAUSE)

    def _await_client(self, pause: float) -> None:
        """Waits until somebody connects, but no less than ``pause`` seconds."""
        if pause:
            select.select([], [], [], pause)
        while True:
            poll = select.poll()
            poll.register(self._news, select.POLLIN)
            for door in list(self._doors):
                poll.register(door.listener, select.POLLIN)
            ready = {descriptor for descriptor, _ in poll.poll()}
            if ready - {self._news}:
                return
            self._read_news()

    def _read_news(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self._news)

    @contextmanager
    def _process(self) -> Iterator[socket.socket]:
        """The socket to tell the process by, which is started and ended with the block."""
        ours, theirs = socket.socketpair()
        with ours, LOG.open("ab") as log:
            with theirs:
                process = subprocess.Popen(
                    [sys.executable, "-m", "testbed.api", str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    start_new_session=True,
                )
            try:
                yield ours
            finally:
                process.kill()
                process.wait()

    def _serve(self, feed: socket.socket) -> None:
        """Tells doors and changes until the process ends."""
        told = 0
        poll = select.poll()
        poll.register(self._news, select.POLLIN)
        poll.register(feed, 0)  # its end only
        while True:
            doors = self._doors[told:]
            for door in doors:
                protocol.send(feed, {"listen": door.kind}, door.descriptors)
            told += len(doors)
            if any(descriptor == feed.fileno() for descriptor, _ in poll.poll()):
                return
            self._read_news()
            began = time.monotonic()
            self._tell(feed, self._ledger.changes())
            select.select([feed], [], [], time.monotonic() - began)  # others need this Python too

    @staticmethod
    def _tell(feed: socket.socket, changes: list[Change]) -> None:
        for start in range(0, len(changes), _AT_ONCE):
            protocol.send(feed, {"changes": changes[start : start + _AT_ONCE]})
