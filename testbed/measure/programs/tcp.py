"""A traffic generator for what no packaged tool measures: connecting, and short round trips.

It runs alone inside a pod (``python3 -S -E tcp.py …``), uses the standard library only and imports
nothing of this project::

    tcp.py serve   ADDRESS PORT            accept, close, and again; until killed
    tcp.py connect ADDRESS PORT SECONDS    connect, wait for the server's close, and again
    tcp.py echo    ADDRESS PORT            send back what comes, connection after connection
    tcp.py ask     ADDRESS PORT SECONDS    one byte out, one byte back, and again
    tcp.py request ADDRESS PORT SECONDS    connect, one byte out, one byte back, and again

The servers print ``listening`` once they do. The clients print one JSON document: ``seconds``,
``count``, ``rate`` (1/s), ``percentiles`` (of the times in seconds, by nearest rank) and
``histogram``: pairs of a time in seconds and how many were longer than the one before and at most
that, with ten steps to a decade.

``connect`` is a closed loop: the next connection starts when the server has accepted and closed the
one before, so that the accept queue cannot hide a slow server. The time is that of connect(2)
alone. The client then resets the connection (SO_LINGER of 0), so that neither side keeps a
TIME-WAIT (RFC 9293, 3.6.1) and its ports do not run out. ``request`` does the same with a byte each
way on every connection, and prints two documents of that kind in one: ``connect``, the time of
connect(2), and ``request``, the time from before it to the answer.
"""

import collections
import contextlib
import gc
import json
import math
import signal
import socket
import struct
import sys
import time

RESET = struct.pack("ii", 1, 0)
BACKLOG = 4096
PATIENCE = 3.0  # seconds: a SYN that is lost once or twice is sent again within them
PERCENTILES = (50.0, 90.0, 99.0, 99.9)


def listener(address: str, port: int) -> socket.socket:
    """A listening socket; says so on standard output."""
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    server.listen(BACKLOG)
    print("listening", flush=True)
    return server


def serve(address: str, port: int) -> None:
    """Accepts and closes for ever. Works on bare descriptors: no object per connection."""
    accept, close = listener(address, port)._accept, socket.close  # type: ignore[attr-defined]
    while True:
        close(accept()[0])


def echo(address: str, port: int) -> None:
    """Sends every received byte back, for one connection after the other."""
    server = listener(address, port)
    while True:
        connection, _ = server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        receive, send = connection.recv, connection.send
        with contextlib.suppress(ConnectionResetError):  # as `request` ends its connections
            while data := receive(4096):
                send(data)
        connection.close()


def connect(address: str, port: int, seconds: float) -> tuple[list[int], int]:
    """Connects until the time is up.

    Returns:
        The times of connect(2), and how long it all took, in nanoseconds.
    """
    clock, new, there = time.perf_counter_ns, socket.socket, (address, port)
    times: list[int] = []
    start = clock()
    end = start + int(seconds * 1e9)
    while clock() < end:
        one = new(socket.AF_INET, socket.SOCK_STREAM)
        before = clock()
        one.connect(there)
        times.append(clock() - before)
        one.recv(1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        one.close()
    return times, clock() - start


def ask(address: str, port: int, seconds: float) -> tuple[list[int], int]:
    """Sends a byte and waits for its echo until the time is up, over one connection.

    Returns:
        The round-trip times, and how long it all took, in nanoseconds.
    """
    connection = socket.create_connection((address, port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    clock, receive, send = time.perf_counter_ns, connection.recv, connection.send
    times: list[int] = []
    start = before = clock()
    end = start + int(seconds * 1e9)
    while before < end:
        send(b"?")
        if not receive(1):
            raise ConnectionError("the server has closed the connection")
        after = clock()
        times.append(after - before)
        before = after
    return times, before - start


def request(address: str, port: int, seconds: float) -> tuple[list[int], list[int], int]:
    """Connects, sends a byte and waits for its echo until the time is up.

    Returns:
        The times of connect(2), those of the whole requests, and how long it all took, in
        nanoseconds.
    """
    clock, new, there = time.perf_counter_ns, socket.socket, (address, port)
    connects: list[int] = []
    requests: list[int] = []
    start = clock()
    end = start + int(seconds * 1e9)
    while clock() < end:
        one = new(socket.AF_INET, socket.SOCK_STREAM)
        before = clock()
        one.connect(there)
        connected = clock()
        one.send(b"?")
        if not one.recv(1):
            raise ConnectionError("the server has closed the connection")
        requests.append(clock() - before)
        connects.append(connected - before)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        one.close()
    return connects, requests, clock() - start


def report(times: list[int], elapsed: int) -> dict[str, object]:
    """The JSON document of a run; see the module's text."""
    times.sort()
    ranks = {p: -(-round(p * 10) * len(times) // 1000) - 1 for p in PERCENTILES}
    steps = collections.Counter(math.ceil(10 * math.log10(max(1, nanos))) for nanos in times)
    return {
        "seconds": elapsed / 1e9,
        "count": len(times),
        "rate": len(times) / (elapsed / 1e9),
        "percentiles": {str(p): times[rank] / 1e9 for p, rank in ranks.items()},
        "histogram": [[round(10 ** (n / 10 - 9), 12), steps[n]] for n in sorted(steps)],
    }


def give_up(*_: object) -> None:
    """Ends a client that hangs (handler of SIGALRM)."""
    raise TimeoutError("no answer for seconds: packets get lost on the way")


def main(verb: str, address: str, port: str, seconds: str = "0") -> None:
    """Runs one verb. A client that hangs is ended some seconds after its time."""
    if verb in ("serve", "echo"):
        {"serve": serve, "echo": echo}[verb](address, int(port))
    gc.disable()
    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, float(seconds) + PATIENCE)
    if verb == "request":
        connects, requests, elapsed = request(address, int(port), float(seconds))
        both = {"connect": report(connects, elapsed), "request": report(requests, elapsed)}
        print(json.dumps(both))
        return
    work = {"connect": connect, "ask": ask}[verb]
    print(json.dumps(report(*work(address, int(port), float(seconds)))))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.exit(f"tcp.py {' '.join(sys.argv[1:])}: {error}")
