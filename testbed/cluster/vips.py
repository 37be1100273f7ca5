"""Cluster IPs and node ports: which are free, and which one a Service gets.

Both ranges have a lower band that is for those who ask for an address or port, and is given to
others only when the upper one is used up: KEP-3070 for cluster IPs, KEP-3668 for node ports. The
sizes are those of ``pkg/registry/core/service/ipallocator`` and ``portallocator``. Where the real
allocators start at random, these take the lowest that is free, so that a lab comes up the same
each time: ``10.96.1.1`` and ``30086`` first, with the default ranges.

The first cluster IP is the API server's own: only the Service ``kubernetes`` of namespace
``default`` may have it, and gets it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network
from itertools import chain

from testbed.objects.addresses import parse

NODE_PORTS = range(30_000, 32_768)
"""Where node ports come from (``--service-node-port-range``)."""

KUBERNETES = ("default", "kubernetes")
"""The Service of the API server."""

_ALLOCATED = "already allocated"


class Refused(Exception):
    """Why an address or a port cannot be had, in the allocators' words."""


class Band:
    """What is free of a range with a band for those who ask.

    Args:
        values: The range.
        lower: Size of its lower band.
        used: What is taken of it; may have others in it.
    """

    def __init__(self, values: range, lower: int, used: Iterable[int]) -> None:
        self._used = set(used)
        self._next: Iterator[int] = chain(values[lower:], values[:lower])

    def claim(self, value: int) -> bool:
        """Takes this one; whether it was free."""
        free = value not in self._used
        self._used.add(value)
        return free

    def take(self) -> int:
        """Takes the lowest free one of the upper band, else of the lower.

        Raises:
            Refused: The range is full.
        """
        for value in self._next:
            if value not in self._used:
                self._used.add(value)
                return value
        raise Refused("range is full")


class ClusterIps:
    """The cluster IPs of a service CIDR.

    Args:
        cidr: The range; network and broadcast address are not for Services.
        used: Those that Services have.
    """

    def __init__(self, cidr: str, used: Iterable[str]) -> None:
        self._cidr = IPv4Network(cidr)
        first, last = int(self._cidr[1]), int(self._cidr.broadcast_address) - 1
        self._range = range(first, last + 1)
        taken = {int(address) for address in map(parse, used) if address is not None}
        self._band = Band(self._range, _lower(self._cidr.num_addresses, 16, 256), {first, *taken})
        self._first = first if first not in taken else None

    def claim(self, text: str, holder: tuple[str, str]) -> None:
        """Takes the address that a Service asks for.

        Raises:
            Refused: It is not in the range, or taken.
        """
        address = parse(text)
        if address is None or int(address) not in self._range or address.version != 4:
            raise Refused(
                f"the provided IP ({text}) is not in the valid range. "
                f"The range of valid IPs is {self._cidr}"
            )
        if int(address) == self._first and holder == KUBERNETES:
            self._first = None
        elif not self._band.claim(int(address)):
            raise Refused(f"provided IP is {_ALLOCATED}")

    def take(self, holder: tuple[str, str]) -> str:
        """An address for a Service that asks for none.

        Raises:
            Refused: The range is full.
        """
        if holder == KUBERNETES and self._first is not None:
            value, self._first = self._first, None
            return str(IPv4Address(value))
        return str(IPv4Address(self._band.take()))


class NodePorts:
    """The node ports; one is the same port for every protocol, as in the real allocator.

    Args:
        used: Those that Services have.
    """

    def __init__(self, used: Iterable[int]) -> None:
        self._band = Band(NODE_PORTS, min(max(16, len(NODE_PORTS) // 32), 128), used)

    def claim(self, port: int) -> None:
        """Takes the port that a Service asks for.

        Raises:
            Refused: It is not in the range, or taken.
        """
        if port not in NODE_PORTS:
            raise Refused(
                "provided port is not in the valid range. "
                f"The range of valid ports is {NODE_PORTS[0]}-{NODE_PORTS[-1]}"
            )
        if not self._band.claim(port):
            raise Refused(f"provided port is {_ALLOCATED}")

    def take(self) -> int:
        """A port for a Service that asks for none.

        Raises:
            Refused: The range is full.
        """
        return self._band.take()


def _lower(size: int, least: int, most: int) -> int:
    """The size of the lower band: a sixteenth, within bounds; none in a small range."""
    return 0 if size <= least else min(max(least, size // 16), most)
