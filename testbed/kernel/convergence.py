"""Waiting until routing daemons have put the expected routes into the kernel.

The kernel tells of each route that comes or goes (rtnetlink(7), ``RTNLGRP_IPV4_ROUTE``); nothing
is looked at twice without a reason. After a failure all routes may still, or again, be there while
the daemons have not yet done with it: so the kernel must also have been silent for a moment.
"""

from __future__ import annotations

import errno
import selectors
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network

from testbed.kernel.netns import NetNs
from testbed.plan.model import ExpectedRoute

_GROUP_IPV4_ROUTE = 0x40
_NEWROUTE, _DELROUTE, _GETROUTE = 24, 25, 26
_REQUEST_DUMP = 0x1 | 0x300
_MAIN_TABLE = 254
_RTA_DST, _RTA_MULTIPATH = 1, 9
_HEADER, _ROUTE = struct.Struct("=IHHII"), struct.Struct("=BBBBBBBBI")


class RouteWatch:
    """The routes of one namespace that are still missing.

    Args:
        netns: The namespace; the thread must be in it.
        expected: What its main table must have.
    """

    def __init__(self, netns: NetNs, expected: tuple[ExpectedRoute, ...]) -> None:
        self.name = netns.name
        self._expected = {route.destination: route.next_hops for route in expected}
        self.missing = set(self._expected)
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.bind((0, _GROUP_IPV4_ROUTE))
        self._ask()

    def _ask(self) -> None:
        """Asks for all routes there are."""
        body = _ROUTE.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)
        size = _HEADER.size + len(body)
        self._socket.send(_HEADER.pack(size, _GETROUTE, _REQUEST_DUMP, 1, 0) + body)

    def fileno(self) -> int:
        """For select."""
        return self._socket.fileno()

    def read(self) -> None:
        """Takes note of the routes that the kernel tells of; asks again if some were lost."""
        try:
            data = self._socket.recv(1 << 20)
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            self._ask()
            return
        for destination, next_hops in _routes(data):
            if next_hops >= self._expected.get(destination, 0):
                self.missing.discard(destination)
            else:
                self.missing.add(destination)

    def close(self) -> None:
        """Stops listening."""
        self._socket.close()


def watch(
    namespaces: Mapping[str, NetNs], expected: Mapping[str, tuple[ExpectedRoute, ...]]
) -> list[RouteWatch]:
    """Begins to watch the routes of namespaces, each of which the calling thread enters."""
    watches = []
    for name, routes in expected.items():
        with namespaces[name].entered():
            watches.append(RouteWatch(namespaces[name], routes))
    return watches


def wait(watches: list[RouteWatch], seconds: float, silence: float = 0.0) -> dict[str, list[str]]:
    """Waits until every namespace has its expected routes, and ends the watches.

    Args:
        watches: Of the namespaces.
        seconds: The time that they have.
        silence: For how long, in seconds, no route must have come or gone.

    Returns:
        The destinations that are still missing when the time is over, by namespace.
    """
    _read_until(watches, time.monotonic() + seconds, silence)
    for item in watches:
        item.close()
    return {item.name: sorted(item.missing) for item in watches if item.missing}


def _read_until(watches: list[RouteWatch], end: float, silence: float) -> None:
    """Reads until nothing is missing and nothing happens any more, or the time is over.

    By epoll(7): in a lab of a thousand pods descriptors have numbers that select(2) cannot take.
    """
    with selectors.DefaultSelector() as waiting:
        for item in watches:
            waiting.register(item, selectors.EVENT_READ, item)
        while waiting.get_map():
            missing = any(item.missing for item in watches)
            if not missing and not silence:
                return
            left = end - time.monotonic()
            ready = waiting.select(max(0.0, left if missing else min(left, silence)))
            if not ready:
                return
            for key, _ in ready:
                key.data.read()


def _routes(data: bytes) -> Iterator[tuple[str, int]]:
    """Routes of the main table in netlink messages, as (destination, next hops); 0 for a gone one.

    One that is replaced is told of as new, after which nothing says that the old one is gone.
    """
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, _, _, _ = _HEADER.unpack_from(data, offset)
        if kind in (_NEWROUTE, _DELROUTE):
            for destination, hops in _route(data[offset + _HEADER.size : offset + length]):
                yield destination, hops if kind == _NEWROUTE else 0
        offset += (length + 3) & ~3


def _route(body: bytes) -> Iterator[tuple[str, int]]:
    _, prefix, _, _, table, _, _, _, _ = _ROUTE.unpack_from(body)
    attributes = dict(_attributes(body[_ROUTE.size :]))
    if table == _MAIN_TABLE:
        packed = attributes.get(_RTA_DST, b"\0\0\0\0")
        hops = _count_hops(attributes[_RTA_MULTIPATH]) if _RTA_MULTIPATH in attributes else 1
        yield str(IPv4Network((packed, prefix))), hops


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        yield kind & 0x3FFF, data[offset + 4 : offset + length]
        offset += max(4, (length + 3) & ~3)


def _count_hops(data: bytes) -> int:
    count, offset = 0, 0
    while offset + 8 <= len(data):
        count += 1
        offset += max(8, (struct.unpack_from("=H", data, offset)[0] + 3) & ~3)
    return count
