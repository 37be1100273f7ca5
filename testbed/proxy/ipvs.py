"""A change of IPVS and of ipsets, as data (:mod:`testbed.kernel.ipvs` carries it out). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class SetEntry(NamedTuple):
    """An entry of an ipset: as much of it as the set's type wants.

    Attributes:
        name: Of the set.
        address: The first address.
        port: The port.
        protocol: Its protocol; ``TCP``, ``UDP`` or ``SCTP``.
        source: A second address, or with a ``/`` a range of them.
    """

    name: str
    address: str = ""
    port: int = 0
    protocol: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class VirtualServer:
    """A virtual server of IPVS that translates addresses (NAT); all real servers weigh the same.

    Attributes:
        address: Where it is.
        port: Where it is.
        protocol: ``TCP``, ``UDP`` or ``SCTP``.
        scheduler: Name of the kernel's scheduler, such as ``rr``.
        persistence: How long a client's address stays with its real server, in seconds; 0 for none.
        real: Address and port of each real server.
    """

    address: str
    port: int
    protocol: str
    scheduler: str
    persistence: int
    real: tuple[tuple[str, int], ...]

    @property
    def key(self) -> tuple[str, int, str]:
        """What it is known by."""
        return self.address, self.port, self.protocol


@dataclass(frozen=True, slots=True)
class Ipvs:
    """A change of IPVS, its sets and the addresses of ``kube-ipvs0``.

    It may be done again, and end as if it had been done once.

    Attributes:
        sets: Sets to be made, name → type; with any, the device is made, too.
        entries: To be added to sets.
        addresses: To be added to the device.
        old: Virtual servers that change or go, as they were.
        new: Those that change or come, as they shall be.
        gone_entries: To be removed from sets.
        gone_addresses: To be removed from the device.
    """

    sets: Mapping[str, str] = field(default_factory=dict, hash=False)
    entries: tuple[SetEntry, ...] = ()
    addresses: tuple[str, ...] = ()
    old: tuple[VirtualServer, ...] = ()
    new: tuple[VirtualServer, ...] = ()
    gone_entries: tuple[SetEntry, ...] = ()
    gone_addresses: tuple[str, ...] = ()
