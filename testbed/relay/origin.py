"""Where a client wanted to go before the kernel sent it to the relay.

For TCP the kernel says it of a socket (``SO_ORIGINAL_DST``). For UDP there is one socket for all
clients, so the table of connections is asked, by netlink: for the entry whose answers go from the
relay to the client.

Source: the kernel's ``linux/netfilter_ipv4.h``, ``linux/netfilter/nfnetlink_conntrack.h``.
"""

from __future__ import annotations

import socket
import struct

Pair = tuple[str, int]

_SO_ORIGINAL_DST = 80
_GET, _ERROR = 0x101, 2  # NFNL_SUBSYS_CTNETLINK << 8 and the message
_ORIGINAL, _REPLY, _IP, _PROTOCOL = 1, 2, 1, 2
_NESTED = 0x8000
_NETFILTER = 12


def of_tcp(link: socket.socket) -> Pair:
    """The destination of an accepted connection.

    Raises:
        OSError: The kernel does not know the connection any more.
    """
    _, port, address = struct.unpack("!HH4s8x", link.getsockopt(0, _SO_ORIGINAL_DST, 16))
    return socket.inet_ntoa(address), port


class Udp:
    """Asks for destinations of datagrams."""

    def __init__(self) -> None:
        self._link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
        self._link.bind((0, 0))
        self._number = 0

    def of(self, relay: Pair, client: Pair) -> Pair | None:
        """The destination of what a client has sent; None if the kernel does not know it.

        Args:
            relay: Where it has come in.
            client: Where it has come from.
        """
        self._number += 1
        addresses = _attribute(1, socket.inet_aton(relay[0]))
        addresses += _attribute(2, socket.inet_aton(client[0]))
        ports = _attribute(1, bytes((socket.IPPROTO_UDP,)))
        ports += _attribute(2, struct.pack("!H", relay[1]))
        ports += _attribute(3, struct.pack("!H", client[1]))
        asked = _attribute(_IP | _NESTED, addresses) + _attribute(_PROTOCOL | _NESTED, ports)
        body = struct.pack("=BBH", socket.AF_INET, 0, 0) + _attribute(_REPLY | _NESTED, asked)
        self._link.send(struct.pack("=IHHII", 16 + len(body), _GET, 1, self._number, 0) + body)
        return self._answer()

    def _answer(self) -> Pair | None:
        while True:
            data = self._link.recv(1 << 16)
            _, kind, _, number, _ = struct.unpack_from("=IHHII", data)
            if number == self._number:
                break
        if kind == _ERROR:
            return None
        parts = _attributes(_attributes(data[20:])[_ORIGINAL])
        address, ports = _attributes(parts[_IP])[2], _attributes(parts[_PROTOCOL])[3]
        return socket.inet_ntoa(address), int.from_bytes(ports)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _attributes(data: bytes) -> dict[int, bytes]:
    found, offset = {}, 0
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        found[kind & 0x3FFF] = data[offset + 4 : offset + length]
        offset += length + 3 & ~3
    return found
