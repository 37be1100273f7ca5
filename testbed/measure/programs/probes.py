"""A steady stream of numbered UDP datagrams, to see when a path is interrupted and for how long.

It runs alone inside a pod (``python3 -S -E probes.py …``) and uses the standard library only::

    probes.py receive ADDRESS PORT             print "NUMBER TIME" for every arrival; until killed
    probes.py send    ADDRESS PORT INTERVAL    send one every INTERVAL seconds; until killed

TIME is CLOCK_MONOTONIC in nanoseconds, which is one clock for the whole machine. The receiver
prints ``listening`` first. The sender keeps to the interval on the average: after a delay it
catches up, so that numbers tell the time of sending. An unreachable destination does not stop it.

The receiver sends some datagrams back, which nobody reads: switches learn from what a host sends
where it is, and flood everything to one that is always silent.
"""

import contextlib
import socket
import struct
import sys
import time

NUMBER = struct.Struct("!Q")
ECHO = 100  # one of so many datagrams is sent back


def receive(address: str, port: int) -> None:
    """Prints what arrives, each at once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, port))
        print("listening", flush=True)
        while True:
            data, sender = server.recvfrom(64)
            number = NUMBER.unpack(data)[0]
            print(number, time.monotonic_ns(), flush=True)
            if number % ECHO == 0:
                with contextlib.suppress(OSError):
                    server.sendto(data, sender)


def send(address: str, port: int, interval: float) -> None:
    """Sends numbers from 0, on one socket, so that the whole stream is one flow."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        start, number = time.monotonic(), 0
        while True:
            with contextlib.suppress(OSError):
                sender.sendto(NUMBER.pack(number), (address, port))
            number += 1
            time.sleep(max(0.0, start + number * interval - time.monotonic()))


if __name__ == "__main__":
    verb, there, at, *rest = sys.argv[1:]
    if verb == "receive":
        receive(there, int(at))
    else:
        send(there, int(at), float(rest[0]))
