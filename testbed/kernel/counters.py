"""What network interfaces have counted, asked of the kernel by netlink (``RTM_GETSTATS``).

Only the interfaces asked for are told, where a dump of all links would list every pod of a node.
Source: ``linux/if_link.h`` (``if_stats_msg``, ``rtnl_link_stats64``).
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

from testbed.errors import LabError
from testbed.kernel import netlink
from testbed.kernel.netns import NetNs

_GETSTATS = 94
_LINK_64 = 1  # IFLA_STATS_LINK_64, both the attribute and its bit of the mask
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BxxxII")
_STATS = struct.Struct("=8Q")
_ERROR = 2
_BUFFER = 1 << 16
_PATIENCE = 10


class Counters(NamedTuple):
    """Packets and bytes since an interface was made; ``rx`` is what came in through it.

    What a queueing discipline drops (a rate limit, ``netem``) is not among the dropped ones: the
    kernel counts it with the discipline.
    """

    rx_packets: int
    tx_packets: int
    rx_bytes: int
    tx_bytes: int
    rx_dropped: int
    tx_dropped: int


def read(netns: NetNs, devices: Sequence[str]) -> dict[str, Counters]:
    """The counters of some interfaces of a namespace; the calling thread enters it.

    Raises:
        LabError: There is no such interface.
    """
    with (
        netns.entered(),
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link,
    ):
        link.settimeout(_PATIENCE)
        return {device: _read(link, netns, device) for device in devices}


def _read(link: socket.socket, netns: NetNs, device: str) -> Counters:
    body = _REQUEST.pack(0, netns.index(device), 1 << (_LINK_64 - 1))
    link.send(netlink.message(_GETSTATS, 0, body))
    data = link.recv(_BUFFER)
    if _HEADER.unpack_from(data)[1] == _ERROR:
        code = -struct.unpack_from("=i", data, _HEADER.size)[0]
        raise LabError(f"{netns.name}: counters of {device}: {os.strerror(code)}")
    return parse(data)


def parse(data: bytes) -> Counters:
    """The counters in an answer of the kernel (``RTM_NEWSTATS``)."""
    start = _HEADER.size + _REQUEST.size + 4  # the header of the one attribute
    rx, tx, rx_bytes, tx_bytes, _, _, rx_dropped, tx_dropped = _STATS.unpack_from(data, start)
    return Counters(rx, tx, rx_bytes, tx_bytes, rx_dropped, tx_dropped)
