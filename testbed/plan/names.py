"""Names and hardware addresses that follow from what they belong to.

So a plan is the same everywhere, and a capture can be read.
"""

from __future__ import annotations

import hashlib
from ipaddress import IPv4Address


def veth_of_pod(prefix: str, namespace: str, pod: str) -> str:
    """The node's end of a pod's veth: the prefix and eleven hexadecimal digits.

    Calico's own rule (``VethNameForWorkload``): SHA-1 of ``namespace.pod``.
    """
    digest = hashlib.sha1(f"{namespace}.{pod}".encode(), usedforsecurity=False).hexdigest()
    return prefix + digest[:11]


def mac_of_address(address: str, prefix: str = "0a:58") -> str:
    """A locally administered hardware address that shows the IPv4 address.

    The rule of the CNI plugins' ``GenerateHardwareAddr4``, with its prefix ``0a:58``.
    """
    return prefix + "".join(f":{byte:02x}" for byte in IPv4Address(address).packed)
