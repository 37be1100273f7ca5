"""Standard streams of this process, carried to and from the sockets of a guest."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Callable

_CHUNK = 1 << 16


class Input(threading.Thread):
    """Carries our standard input to the guest.

    Args:
        source: Descriptor.
        sink: Socket to the guest. It stays open at the end, because QEMU throws away what it has
            not read when it sees the end.
        told: Is called with the number of bytes at the end.
    """

    def __init__(self, source: int, sink: socket.socket, told: Callable[[int], None]) -> None:
        super().__init__(daemon=True)
        self._source, self._sink, self._told = source, sink, told

    def run(self) -> None:
        """Returns at the end of the input or of the guest."""
        count = 0
        try:
            while data := _read(self._source):
                self._sink.sendall(data)
                count += len(data)
            self._told(count)
        except OSError:  # the guest has gone
            return


class Output(threading.Thread):
    """Carries what the guest's command writes to one of our streams.

    Args:
        source: Socket from the guest.
        sink: Descriptor.
        unread: Is called when nobody reads ``sink`` any more.
    """

    def __init__(self, source: socket.socket, sink: int, unread: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._source, self._sink, self._unread = source, sink, unread
        self._count = 0
        self._news = threading.Condition()
        self._gone = False

    def run(self) -> None:
        """Returns with the guest."""
        try:
            while data := self._source.recv(_CHUNK):
                self._pass_on(data)
                with self._news:
                    self._count += len(data)
                    self._news.notify()
        except OSError:
            pass  # closed by us
        with self._news:
            self._gone = True
            self._news.notify()

    def wait_for(self, count: int) -> None:
        """Waits until so many bytes have been passed on, or no more can come."""
        with self._news:
            self._news.wait_for(lambda: self._gone or self._count >= count)

    def _pass_on(self, data: bytes) -> None:
        view = memoryview(data)
        while view and self._sink >= 0:
            try:
                view = view[os.write(self._sink, view) :]
            except BlockingIOError:  # somebody we share it with has made it so
                select.select((), (self._sink,), ())
            except OSError:  # the rest is read and dropped, so that nothing waits for us
                self._sink = -1
                self._unread()


def _read(source: int) -> bytes:
    try:
        return os.read(source, _CHUNK)
    except OSError:  # closed, or a terminal that has gone
        return b""
