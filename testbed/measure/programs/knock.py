"""Connecting again and again until somebody answers: when a Service works, seen by a client.

It runs alone inside a pod or a node (``python3 -S -E knock.py …``) and uses the standard library
only::

    knock.py answer ADDRESS PORT WORD               tell WORD to who connects, and close
    knock.py until  WORD INTERVAL PORT ADDRESS...   connect until WORD was told at every address

``until`` takes any word if WORD is ``-``. It prints ``knocking`` once it does, a line ``ADDRESS
TIME`` when the word has come from an address, TIME being CLOCK_MONOTONIC in nanoseconds, which is
one clock for the whole machine, and at its end ``pause SECONDS``, the longest time between two
tries: how late a line may be. It tries the addresses in turns, one every INTERVAL seconds, and
after the first second of a try every thousandth of the time that it has tried: so the time that is
measured is right to the interval or to a thousandth, and ports do not run out in a minute. A try
does not wait for the one before it; each has PATIENCE seconds.
"""

import contextlib
import gc
import selectors
import socket
import struct
import sys
import time

RESET = struct.pack("ii", 1, 0)
PATIENCE = (
    250_000_000  # nanoseconds: far more than a round trip, less than a SYN is sent again after
)
BACKLOG = 4096


def answer(address: str, port: int, word: str) -> None:
    """Tells its word for ever."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.listen(BACKLOG)
        print("listening", flush=True)
        while True:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(word.encode())


class Tries:
    """Connections that are being tried."""

    def __init__(self, word: str, port: int, addresses: list[str]) -> None:
        self.word, self.port, self.left = word, port, addresses
        self.selector = selectors.DefaultSelector()
        self.begun: dict[socket.socket, tuple[int, str]] = {}  # in the order of their beginning

    def begin(self, now: int) -> None:
        """Tries the address whose turn it is."""
        address = self.left.pop(0)
        self.left.append(address)
        one = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        try:
            one.connect((address, self.port))
        except BlockingIOError:
            self.begun[one] = now, address
            self.selector.register(one, selectors.EVENT_READ)
        except OSError:  # no route, no port, refused at once
            one.close()

    def end(self, one: socket.socket) -> None:
        """Gives one up."""
        del self.begun[one]
        self.selector.unregister(one)
        one.close()

    def answered(self, one: socket.socket) -> None:
        """Something came, or it failed."""
        address = self.begun[one][1]
        try:
            told = one.recv(64).decode()
        except OSError:
            told = ""
        self.end(one)
        if told and self.word in ("-", told) and address in self.left:
            print(address, time.monotonic_ns(), flush=True)
            self.left.remove(address)

    def run(self, interval: int) -> None:
        """Tries until there is nothing left."""
        start = last = time.monotonic_ns()
        due, pause = start, 0
        print("knocking", flush=True)
        while self.left:
            now = time.monotonic_ns()
            if now >= due:
                pause, last = max(pause, now - last), now
                due = now + max(interval, (now - start) // 1000)
                self.begin(now)
            while self.begun and self.begun[first := next(iter(self.begun))][0] + PATIENCE <= now:
                self.end(first)
            for key, _ in self.selector.select(max(0, due - time.monotonic_ns()) / 1e9):
                assert isinstance(key.fileobj, socket.socket)  # noqa: S101
                self.answered(key.fileobj)
        print("pause", pause / 1e9, flush=True)


if __name__ == "__main__":
    gc.disable()
    verb, *words = sys.argv[1:]
    if verb == "answer":
        answer(words[0], int(words[1]), words[2])
    else:
        Tries(words[0], int(words[2]), words[3:]).run(int(float(words[1]) * 1e9))
