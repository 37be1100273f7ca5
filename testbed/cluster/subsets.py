"""Endpoints' subsets: addresses that have the same ports, each address in one place.

Source: ``pkg/api/v1/endpoints/util.go`` (``RepackSubsets``) and
``pkg/controller/endpoint/endpoints_controller.go`` (``truncateEndpoints``). The real order of
subsets is that of hashes of pods' UIDs; here it is that of their ports.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from testbed.cluster.sliceports import PortsKey, ports_key, sort_subset_ports
from testbed.objects.source import Manifest

MOST = 1000
"""Addresses of Endpoints that a controller makes."""

AddressKey = tuple[str, str, str]
Addressed = tuple[Manifest, bool, list[Manifest]]
"""An address, whether it is ready, and its ports."""


def repack(items: Iterable[Addressed]) -> list[Manifest]:
    """The subsets of addresses with their ports; not ready beats ready."""
    addresses: dict[AddressKey, Manifest] = {}
    by_port: dict[PortsKey, dict[AddressKey, bool]] = {}
    ports: dict[PortsKey, list[Manifest]] = {}
    for address, ready, own in items:
        key = _address_key(address)
        addresses.setdefault(key, address)
        for single in [[port] for port in own] or [[]]:
            port_key = ports_key(single)
            ports[port_key] = single
            states = by_port.setdefault(port_key, {})
            states[key] = ready and states.get(key, True)
    together: dict[Any, list[Manifest]] = {}
    for port_key, states in by_port.items():
        together.setdefault(frozenset(states.items()), []).extend(ports[port_key])
    made = [_subset(addresses, dict(states), own) for states, own in together.items()]
    return sorted(made, key=lambda subset: str(subset.get("ports", ())))


def _address_key(address: Manifest) -> AddressKey:
    """What makes an address the same one: pods of a node's network share their address."""
    target = address.get("targetRef", {})
    return address["ip"], target.get("namespace", ""), target.get("name", "")


def _subset(
    addresses: dict[AddressKey, Manifest], states: dict[AddressKey, bool], ports: list[Manifest]
) -> Manifest:
    subset: Manifest = {}
    for name, wanted in (("addresses", True), ("notReadyAddresses", False)):
        keys = sorted(key for key, ready in states.items() if ready is wanted)
        if keys:
            subset[name] = [addresses[key] for key in keys]
    if ports:
        subset["ports"] = sort_subset_ports(ports)
    return subset


def truncate(subsets: list[Manifest]) -> list[Manifest] | None:
    """The subsets with :data:`MOST` addresses, ready ones first; None if there are no more."""
    ready, waiting = (
        sum(len(subset.get(name, ())) for subset in subsets)
        for name in ("addresses", "notReadyAddresses")
    )
    if ready + waiting <= MOST:
        return None
    if ready > MOST:
        return _cut(subsets, "addresses", MOST, ready)
    return _cut(subsets, "notReadyAddresses", MOST - ready, waiting)


def _cut(subsets: list[Manifest], name: str, most: int, total: int) -> list[Manifest]:
    """As many of the subsets' addresses as may be, each subset its share."""
    left, made = most, []
    for subset in subsets:
        own = subset.get(name, [])
        share = min(left, math.ceil(len(own) / total * most))
        left -= min(share, len(own))
        cut = {**subset, name: own[:share]}
        if name == "addresses":
            cut.pop("notReadyAddresses", None)
        made.append({key: value for key, value in cut.items() if value})
    return made
