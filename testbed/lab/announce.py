"""Gratuitous ARP: hosts say where they are, as machines do when they come up (RFC 5227).

Every address of a plan is known to whoever needs it, so no host of a lab asks for one by ARP. A
switch that learns would not know where a host is that only receives, and flood what is sent to it.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from functools import partial
from ipaddress import IPv4Interface

from testbed.kernel.executor import Executor
from testbed.topology.model import Topology

ARP = 0x0806
"""The protocol's number on Ethernet."""

PACKET = struct.Struct("!HHBBH6s4s6s4s")
"""Hardware, protocol, their lengths, operation; sender's MAC and address, target's."""

AGAIN, TIMES = 1.1, 5
"""How often one says where an address is that has moved, and seconds in between. Linux believes no
news of a neighbour within a second of the last (``locktime``); MetalLB does the same for five
seconds (``internal/layer2/announcer.go``)."""

_BROADCAST = b"\xff" * 6


def hosts(topology: Topology, executor: Executor) -> None:
    """Has every host that Open vSwitches join announce its addresses there."""
    for host in topology.hosts:
        wanted = {
            interface.name: interface.address
            for interface in host.interfaces
            if interface.address and interface.link in topology.controlled_links
        }
        if wanted:
            executor.within(f"{host.role}/{host.name}", partial(say, wanted))


def say(devices: Mapping[str, str]) -> None:
    """Announces addresses from the thread's network namespace.

    Args:
        devices: Device → address with prefix length.
    """
    for device, address in devices.items():
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as link:
            link.bind((device, 0))
            link.send(frame(link.getsockname()[4], IPv4Interface(address).ip.packed))


def frame(mac: bytes, address: bytes) -> bytes:
    """An ARP request for the sender's own address (RFC 826)."""
    ask = PACKET.pack(1, 0x0800, 6, 4, 1, mac, address, bytes(6), address)
    return header(_BROADCAST, mac) + ask


def header(to: bytes, sender: bytes) -> bytes:
    """That of an Ethernet frame with ARP in it."""
    return to + sender + struct.pack("!H", ARP)
