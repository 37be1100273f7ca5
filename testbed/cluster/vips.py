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
from typing import Generic, TypeVar

from testbed.objects.addresses import parse

NODE_PORTS = range(30_000, 32_768)
"""Where node ports come from (``--service-node-port-range``)."""

KUBERNETES = ("default", "kubernetes")
"""The Service of the API server."""

T = TypeVar("T")


class Refused(Exception):
    """Why an address or a port cannot be had, in the allocators' words."""


class Pool(Generic[T]):
    """What is free of a range.

    Args:
        values: The range, in the order in which it is given away.
        used: What is taken of it; may have others in it.
    """

    def __init__(self, values: Iterable[T], used: Iterable[T]) -> None:
        self._values, self._used = iter(values), set(used)

    def claim(self, value: T) -> bool:
        """Takes this one; whether it was free."""
        free = value not in self._used
        self._used.add(value)
        return free

    def take(self) -> T:
        """Takes the next one that is free.

        Raises:
            Refused: The range is full.
        """
        for value in self._values:
            if self.claim(value):
                return value
        raise Refused("range is full")


class ClusterIps:
    """The cluster IPs of a service CIDR.

    Args:
        cidr: The range; network and broadcast address are not for Services.
        used: Those that Services have, as :class:`IPv4Address` writes them.
    """

    def __init__(self, cidr: str, used: Iterable[str]) -> None:
        self._cidr = IPv4Network(cidr)
        first, end = int(self._cidr.network_address) + 1, int(self._cidr.broadcast_address)
        self._range, own, taken = range(first, end), str(IPv4Address(first)), set(used)
        order = _banded(self._range, _lower(self._cidr.num_addresses, 16, 16, 256))
        self._pool = Pool(map(str, map(IPv4Address, order)), {own, *taken})
        self._own = None if own in taken else own

    def claim(self, text: str, holder: tuple[str, str]) -> None:
        """Takes the address that a Service asks for.

        Raises:
            Refused: It is not in the range, or taken.
        """
        address = parse(text)
        if not isinstance(address, IPv4Address) or int(address) not in self._range:
            raise Refused(
                f"the provided IP ({text}) is not in the valid range. "
                f"The range of valid IPs is {self._cidr}"
            )
        if holder == KUBERNETES and str(address) == self._own:
            self._own = None
        elif not self._pool.claim(str(address)):
            raise Refused("provided IP is already allocated")

    def take(self, holder: tuple[str, str]) -> str:
        """An address for a Service that asks for none.

        Raises:
            Refused: The range is full.
        """
        if holder == KUBERNETES and self._own is not None:
            own, self._own = self._own, None
            return own
        return self._pool.take()


class NodePorts:
    """The node ports; one is the same port for every protocol, as in the real allocator.

    Args:
        used: Those that Services have.
    """

    def __init__(self, used: Iterable[int]) -> None:
        self._pool = Pool(_banded(NODE_PORTS, _lower(len(NODE_PORTS), 32, 16, 128)), used)

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
        if not self._pool.claim(port):
            raise Refused("provided port is already allocated")

    def take(self) -> int:
        """A port for a Service that asks for none.

        Raises:
            Refused: The range is full.
        """
        return self._pool.take()


def _lower(size: int, step: int, least: int, most: int) -> int:
    """The size of a range's lower band: one ``step``th, within bounds; none in a small range."""
    return 0 if size <= least else min(max(least, size // step), most)


def _banded(values: range, lower: int) -> Iterator[int]:
    """The values of a range, its lower band last."""
    return chain(values[lower:], values[:lower])
