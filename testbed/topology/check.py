"""What makes a topology impossible, whatever form it was written in.

The checks run in an order in which each may rely on those before it, and the first finding is
raised: the rest would often follow from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from itertools import pairwise

from testbed.errors import InputError, Where
from testbed.topology.model import Host, Interface, Topology

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""A DNS label as Kubernetes wants it (RFC 1123)."""

LONGEST_INTERFACE = 15
"""Bytes in a network device's name: the kernel's IFNAMSIZ without the final zero."""

SWITCHES = "fabric"
"""What a lab calls the place of its switches."""

POINT_TO_POINT = 31
"""Prefix length of a subnet whose two addresses are both hosts' (RFC 3021)."""

Path = tuple[str | int, ...]
Locate = Callable[[Path], Where]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: Where: ``("hosts", 2)``, ``("links", 0)``, ``("switches", 1)``.
        message: What.
        hint: What to do about it.
    """

    path: Path
    message: str
    hint: str = ""


def check(topology: Topology, locate: Locate) -> Topology:
    """The topology itself, if it is possible.

    Args:
        topology: What to check.
        locate: Turns a path such as ``("hosts", 2)`` into a place in the user's input.

    Raises:
        InputError: It is not; the first reason.
    """
    for find in (_names, _links, _addresses, _subnets, _loops, _next_hops):
        for problem in find(topology):
            raise InputError(problem.message, where=locate(problem.path), hint=problem.hint)
    return topology


def _names(topology: Topology) -> Iterator[Problem]:
    named = [(("hosts", i), host.name) for i, host in enumerate(topology.hosts)]
    named += [(("switches", i), switch.name) for i, switch in enumerate(topology.switches)]
    seen: set[str] = set()
    for path, name in named:
        if not LABEL.fullmatch(name):
            hint = "Use at most 63 lower-case letters, digits and '-', no '-' at the ends."
            yield Problem(path, f"the name {name!r} is no DNS label", hint)
        if name in seen:
            yield Problem(path, f"the name {name!r} is already taken")
        if name == SWITCHES:
            yield Problem(path, f"the name {name!r} stands for all switches together")
        seen.add(name)
    if not topology.nodes:
        yield Problem((), "the topology has no node", "Give at least one host the role node.")


def _links(topology: Topology) -> Iterator[Problem]:
    known = {host.name for host in topology.hosts} | {s.name for s in topology.switches}
    seen: set[tuple[str, str]] = set()
    for i, link in enumerate(topology.links):
        if link.a == link.b:
            yield Problem(("links", i), f"the link joins {link.a!r} to itself")
        for end, name in ((link.a, link.a_interface), (link.b, link.b_interface)):
            if end not in known:
                hint = f"Known: {', '.join(sorted(known))}."
                yield Problem(("links", i), f"the link ends at {end!r}, which is nowhere", hint)
            if len(name) > LONGEST_INTERFACE:
                message = (
                    f"the interface name {name!r} is longer than {LONGEST_INTERFACE} characters"
                )
                yield Problem(("links", i), message, f"Give {end!r} a shorter name.")
            if (end, name) in seen:
                yield Problem(("links", i), f"{end!r} already has an interface {name!r}")
            seen.add((end, name))


def _addresses(topology: Topology) -> Iterator[Problem]:
    owners: dict[IPv4Address, str] = {}
    for i, host in enumerate(topology.hosts):
        path = ("hosts", i)
        if not host.interfaces:
            yield Problem(path, f"{host.name!r} is on no link")
        if not any(interface.address for interface in host.interfaces):
            yield Problem(path, f"{host.name!r} has no address", "Write it like 192.168.0.11/24.")
        for interface in host.interfaces:
            if interface.address is None:
                continue
            problem = _unusable(interface.address)
            if problem:
                yield Problem(path, f"{host.name!r}: {problem}", "Write it like 192.168.0.11/24.")
            address = IPv4Interface(interface.address).ip
            if address in owners:
                yield Problem(path, f"{host.name!r} has {owners[address]!r}'s address {address}")
            owners[address] = host.name


def _unusable(text: str) -> str:
    """Why a text is no address of a host with a prefix length, or an empty string."""
    try:
        own = IPv4Interface(text)
    except ValueError:
        return f"{text!r} is no IPv4 address with prefix length"
    if "/" not in text:
        return f"the address {text!r} lacks its prefix length"
    ends = (own.network.network_address, own.network.broadcast_address)
    if own.network.prefixlen < POINT_TO_POINT and own.ip in ends:
        return f"{text!r} is the address of the subnet, or its broadcast address"
    if own.ip.is_loopback or own.ip.is_multicast or own.ip.is_unspecified:
        return f"{text!r} cannot be a host's address"
    return ""


def _subnets(topology: Topology) -> Iterator[Problem]:
    """Two subnets that overlap, unless they are the same one on the same segment."""
    owners: dict[tuple[IPv4Network, int], Host] = {}
    for number, segment in enumerate(topology.segments):
        for host, interface in segment:
            subnet = _subnet(interface)
            if subnet is not None:
                owners.setdefault((subnet, number), host)
    # In the order of their first addresses, a subnet that overlaps any overlaps the one before it:
    # two prefixes are apart, or one is within the other.
    for one, two in pairwise(sorted(owners, key=lambda key: (key[0], key[1]))):
        if one[0].overlaps(two[0]):
            first, second = owners[one], owners[two]
            message = f"{second.name!r}'s subnet {two[0]} overlaps {first.name!r}'s {one[0]}"
            hint = "Hosts that no switch joins need subnets of their own."
            yield Problem(("hosts", topology.hosts.index(second)), message, hint)


def _subnet(interface: Interface) -> IPv4Network | None:
    return IPv4Interface(interface.address).network if interface.address else None


def _loops(topology: Topology) -> Iterator[Problem]:
    """Switches in a ring: without a spanning tree protocol a broadcast would circle for ever.

    Among Open vSwitches rings are welcome, for their controller keeps broadcasts out of them.
    """
    controlled = {switch.name for switch in topology.openvswitches}
    group = {switch.name: {switch.name} for switch in topology.switches}
    for link in topology.links:
        if {link.a, link.b} <= controlled:
            joined = group[link.a] | group[link.b]
            group |= dict.fromkeys(joined, joined)
    for i, link in enumerate(topology.links):
        if link.a not in group or link.b not in group or {link.a, link.b} <= controlled:
            continue
        if group[link.a] is group[link.b]:
            message = f"the link {link.a!r} to {link.b!r} closes a loop of switches"
            yield Problem(("links", i), message, "Leave out one link of the loop, or use a router.")
        joined = group[link.a] | group[link.b]
        group |= dict.fromkeys(joined, joined)


def _next_hops(topology: Topology) -> Iterator[Problem]:
    for i, host in enumerate(topology.hosts):
        subnets = [subnet for subnet in map(_subnet, host.interfaces) if subnet]
        hops = dict.fromkeys(hop for _, hops in host.routes for hop in hops)
        for hop in [host.gateway, *hops] if host.gateway else hops:
            if not _is_in(hop, subnets):
                message = f"the next hop {hop} of {host.name!r} is in none of its subnets"
                yield Problem(("hosts", i), message)
        for destination, _ in host.routes:
            try:
                IPv4Network(destination)
            except ValueError as error:
                yield Problem(("hosts", i), f"the route of {host.name!r} is none: {error}")


def _is_in(hop: str, subnets: list[IPv4Network]) -> bool:
    try:
        address = IPv4Address(hop)
    except ValueError:
        return False
    return any(address in subnet for subnet in subnets)
