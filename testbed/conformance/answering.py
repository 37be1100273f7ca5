"""Servers in pods that say who they are and whom they see, and clients that ask; TCP and UDP.

No process is started: all sockets are this process's (:mod:`testbed.conformance.sockets`).
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal

from testbed.conformance.sockets import Sockets
from testbed.conformance.targets import Target

Kind = Literal["TCP", "UDP"]

PATIENCE = 1.5
"""Seconds without an answer after which there is none: a SYN is sent again after one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a question.

    Attributes:
        server: Name of the target that answered; empty if none did.
        seen: Which client address it saw; ``refused`` or ``silent`` if none answered.
    """

    server: str
    seen: str


@contextmanager
def serving(sockets: Sockets, targets: list[Target]) -> Iterator[dict[tuple[str, Kind], int]]:
    """Servers on all targets within the ``with`` block: name and protocol → port."""
    ports: dict[tuple[str, Kind], int] = {}
    with selectors.DefaultSelector() as selector:
        for target in targets:
            made: dict[Kind, socket.socket] = {
                "TCP": sockets.listener(target),
                "UDP": sockets.udp(target),
            }
            for kind, one in made.items():
                selector.register(one, selectors.EVENT_READ, (target.name, kind))
                ports[target.name, kind] = one.getsockname()[1]
        stop, told = socket.socketpair()
        with stop, told:
            selector.register(told, selectors.EVENT_READ, None)
            thread = threading.Thread(target=_serve, args=(selector,), name="servers")
            thread.start()
            try:
                yield ports
            finally:
                stop.send(b".")
                thread.join()


def _serve(selector: selectors.BaseSelector) -> None:
    while True:
        for key, _ in selector.select():
            if key.data is None:
                return
            with suppress(OSError):  # the client has gone
                _answer(key.fileobj, *key.data)  # type: ignore[arg-type]


def _answer(one: socket.socket, name: str, kind: Kind) -> None:
    if kind == "UDP":
        _, peer = one.recvfrom(64)
        one.sendto(f"{name} {peer[0]}".encode(), peer)
        return
    connection, peer = one.accept()
    with connection:
        connection.send(f"{name} {peer[0]}".encode())


def ask(sockets: Sockets, source: Target, kind: Kind, address: str, port: int) -> Answer:
    """Who answers a new connection from a target to an address."""
    types = {"TCP": socket.SOCK_STREAM, "UDP": socket.SOCK_DGRAM}
    with sockets.inside(source, lambda: socket.socket(socket.AF_INET, types[kind])) as link:
        link.settimeout(PATIENCE)
        try:
            link.connect((address, port))
            if kind == "UDP":
                link.send(b"?")
            server, _, seen = link.recv(512).decode().partition(" ")
        except TimeoutError:
            return Answer("", "silent")
        except OSError:
            return Answer("", "refused")
    return Answer(server, seen)
