"""Steady HTTP requests, each with its times and what became of it.

It runs alone inside a pod (``python3 -S -E load.py …``) and uses the standard library only::

    load.py new  ADDRESS PORT INTERVAL PATIENCE    each request on a connection of its own
    load.py kept ADDRESS PORT INTERVAL PATIENCE    on connections that stay open

It prints ``asking`` first, and then a line for each request when it is over: ``BEGIN END OUTCOME
WHO``. The times are CLOCK_MONOTONIC in nanoseconds, which is one clock for the whole machine.
OUTCOME is ``ok``, and WHO then the body of the answer (the server's host name), or ``refused``,
``reset`` (also by the server's close before the answer), ``timeout`` (after PATIENCE seconds),
``status`` (an answer that is none of 2xx) or ``unreachable``, and WHO ``-``.

A request begins every INTERVAL seconds, whatever has become of those before it. If the program did
not get to run for a while, those that it missed are not made up for, and that time is not counted
as PATIENCE: neither a burst nor a late look is to be taken for a failure.
``kept`` has at least WIDTH connections and uses that one which has been idle for the longest time;
one that the server closes while it is idle is no failure. ``new`` resets its connections after the
answer, so that neither side keeps a TIME-WAIT and its ports do not run out.
"""

import collections
import contextlib
import errno
import gc
import selectors
import socket
import struct
import sys
import time
from collections.abc import Callable

REQUEST = b"GET /hostname HTTP/1.1\r\nHost: lab\r\n\r\n"
RESET = struct.pack("ii", 1, 0)
WIDTH = 8
LATE = 20_000_000  # nanoseconds after the time for the next request from which on it is a stall
OUTCOMES = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ETIMEDOUT: "timeout",
    errno.EBADMSG: "status",
}


class Connection:
    """A connection with at most one request on it."""

    def __init__(self, there: tuple[str, int]) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.begin, self.received, self.connected = 0, b"", False
        self.stalled = 0  # as that of the load when the request began
        with contextlib.suppress(BlockingIOError):
            self.socket.connect(there)

    def send(self) -> None:
        """Sends the request; it is smaller than any socket's buffer."""
        self.connected = True
        self.socket.send(REQUEST)

    def receive(self) -> str | None:
        """The body of the answer; None if it is not whole yet."""
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionResetError(errno.ECONNRESET, "closed")
        self.received += part
        head, end, body = self.received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
        if not end or len(body) < int(length):
            return None
        self.received = b""
        if head[9:10] != b"2":
            raise OSError(errno.EBADMSG, "not 2xx")
        return body.decode()


class Load:
    """All requests that are under way, and the connections that wait for one."""

    def __init__(self, there: tuple[str, int], keep: bool, patience: float) -> None:
        self.there, self.keep, self.patience = there, keep, int(patience * 1e9)
        self.selector = selectors.DefaultSelector()
        self.busy: dict[Connection, None] = {}  # in the order of their beginning
        self.idle: collections.deque[Connection] = collections.deque()
        self.stalled = 0  # nanoseconds in which the program wanted to run and did not

    def begin(self, now: int) -> None:
        """Begins a request."""
        if self.idle and len(self.idle) + len(self.busy) >= WIDTH:
            one = self.idle.popleft()
            self.busy[one], one.begin, one.stalled = None, now, self.stalled
            self.attempt(one, one.send)
            return
        one = Connection(self.there)
        self.busy[one], one.begin, one.stalled = None, now, self.stalled
        self.selector.register(one.socket, selectors.EVENT_WRITE, one)

    def attempt(self, one: Connection, act: Callable[[], None]) -> None:
        """Does something with a connection, whose request is over if that fails."""
        try:
            act()
        except OSError as error:
            self.over(one, OUTCOMES.get(error.errno or 0, "unreachable"))

    def happened(self, one: Connection) -> None:
        """Goes on with a connection that can be read, or written for the first time."""
        if one not in self.busy:  # closed by the server, or talking out of turn
            self.idle.remove(one)
            self.close(one)
        elif one.connected:
            self.attempt(one, lambda: self.answered(one, one.receive()))
        else:
            self.attempt(one, lambda: self.opened(one))

    def opened(self, one: Connection) -> None:
        """A connection is open, or could not be opened."""
        problem = one.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if problem:
            raise OSError(problem, "connect")
        self.selector.modify(one.socket, selectors.EVENT_READ, one)
        one.send()

    def answered(self, one: Connection, body: str | None) -> None:
        """Some of an answer has come."""
        if body is None:
            return
        if self.keep:
            self.tell(one, "ok", body)
            self.idle.append(one)
        else:
            self.over(one, "ok", body)

    def over(self, one: Connection, outcome: str, who: str = "-") -> None:
        """A request is over, and its connection, too."""
        self.tell(one, outcome, who)
        self.close(one)

    def tell(self, one: Connection, outcome: str, who: str) -> None:
        """Prints what became of a request."""
        del self.busy[one]
        print(one.begin, time.monotonic_ns(), outcome, who, flush=True)

    def close(self, one: Connection) -> None:
        """Closes a connection without a TIME-WAIT."""
        self.selector.unregister(one.socket)
        with contextlib.suppress(OSError):
            one.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        one.socket.close()

    def run(self, interval: int) -> None:
        """Asks until it is killed."""
        due = time.monotonic_ns()
        while True:
            now = time.monotonic_ns()
            if now - due > LATE:
                self.stalled += now - due
            if now >= due:
                self.begin(now)
                due = max(due + interval, now)
            self.expire(now)
            for key, _ in self.selector.select(max(0, due - time.monotonic_ns()) / 1e9):
                self.happened(key.data)

    def expire(self, now: int) -> None:
        """Gives up what has waited too long."""
        while self.busy:
            first = next(iter(self.busy))
            if now - first.begin - (self.stalled - first.stalled) < self.patience:
                return
            self.over(first, "timeout")


if __name__ == "__main__":
    gc.disable()
    kind, address, port, every, limit = sys.argv[1:]
    load = Load((address, int(port)), kind == "kept", float(limit))
    print("asking", flush=True)
    load.run(int(float(every) * 1e9))
