"""ARP for load balancers' addresses, from a packet socket on each node (RFC 826, RFC 5227)."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Collection
from ipaddress import IPv4Address

from testbed.cluster.model import Node
from testbed.kernel.executor import Executor
from testbed.lab.announce import ARP, PACKET, frame, header

_LONGEST = 64  # bytes: an ARP packet on Ethernet, padded
_ASKS, _ANSWERS = 1, 2


class Responder:
    """A node's answers.

    Args:
        executor: Has the namespaces.
        node: The node.

    Attributes:
        socket: To be read when there is something.
        addresses: What it answers for, packed.
    """

    def __init__(self, executor: Executor, node: Node) -> None:
        self.socket = executor.within(node.namespace, lambda: _open(node.device))
        self._mac: bytes = self.socket.getsockname()[4]
        self.addresses: frozenset[bytes] = frozenset()

    def answer(self) -> None:
        """Answers what has come."""
        with contextlib.suppress(BlockingIOError):
            while True:
                data = self.socket.recv(_LONGEST)
                reply = self._reply(data[14:])
                if reply:
                    self._send(reply)

    def _reply(self, data: bytes) -> bytes | None:
        if len(data) < PACKET.size:
            return None
        *kind, operation, mac, sender, _, wanted = PACKET.unpack_from(data)
        if operation != _ASKS or wanted not in self.addresses or sender == wanted:
            return None
        body = PACKET.pack(*kind, _ANSWERS, self._mac, wanted, mac, sender)
        return header(mac, self._mac) + body

    def announce(self, addresses: Collection[bytes]) -> None:
        """Tells everybody that the node answers for addresses (gratuitous ARP)."""
        for address in addresses:
            self._send(frame(self._mac, address))

    def _send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # the link is down: it is asked again
            self.socket.send(data)


def packed(address: str) -> bytes:
    """An address as it is in packets."""
    return IPv4Address(address).packed


def _open(device: str) -> socket.socket:
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    link.setblocking(False)
    link.bind((device, ARP))
    return link
