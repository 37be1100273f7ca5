"""Taking a network device's offloads away (ethtool(8), ``-K DEVICE tx off``).

A veth device says that it computes checksums and cuts segments, and leaves both to whoever receives
at its other end, who knows. Someone who reads frames from a packet socket there does not.

Sources: ``linux/ethtool.h``, netdevice(7).
"""

from __future__ import annotations

import array
import fcntl
import socket
import struct

_SIOCETHTOOL = 0x8946
_ETHTOOL_STXCSUM = 0x17
_NAME = 16  # IFNAMSIZ


def software_checksums(device: str) -> None:
    """Has the kernel compute checksums before it sends; with them goes segmentation.

    The thread must be in the device's network namespace.

    Raises:
        OSError: There is no such device.
    """
    value = array.array("I", (_ETHTOOL_STXCSUM, 0))  # struct ethtool_value
    request = struct.pack(f"{_NAME}sP", device.encode(), value.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCETHTOOL, request)
