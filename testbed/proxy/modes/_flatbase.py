"""What ``nftables-flat`` has in its table beside what kube-proxy has there.

Keys that end in a number are declared by ``typeof``: the type of a key cannot be written that has
a plain number in it, but its parts can be shown (nft 1.0.6 and later, and no change in the kernel).
"""

from __future__ import annotations

from collections.abc import Iterator

from testbed.proxy.contract import ProxyNode
from testbed.proxy.modes import _nftbase as base
from testbed.proxy.modes._flatchains import ADDRESS, NODE_PORT
from testbed.proxy.nft import TABLE

GUARD = "firewall-sources-check"
"""The chain that drops what may not use a load balancer's address."""

SESSIONS = 1 << 18
"""How many clients' sessions a node remembers; further ones are not, and each connection of theirs
goes to any endpoint. The kernel makes a table of that size at once: 4 MiB."""

_INDEX = "numgen random mod 2"


def table(node: ProxyNode) -> Iterator[str]:
    """As :func:`testbed.proxy.modes._nftbase.table`, with maps of endpoints."""
    yield from base.table(node)
    for place in (*ADDRESS.values(), *NODE_PORT.values()):
        to = f"ip daddr . {place.protocol} dport"
        maps = {
            "endpoints": f"{place.key} . {_INDEX} : {to}",
            "session-ids": f"{place.key} . {_INDEX} : meta priority",
            "session-endpoints": f"{place.key} . meta priority : {to}",
        }
        for name, kind in maps.items():
            yield f"add map {TABLE} {place.prefix}{name} {{ typeof {kind} ; }}"
    kind = f"typeof ip saddr . meta priority ; size {SESSIONS} ; flags dynamic,timeout ;"
    yield f"add set {TABLE} sessions {{ {kind} }}"
    yield from _firewall()
    yield from _hairpin()


def _firewall() -> Iterator[str]:
    kind = "type ipv4_addr . inet_proto . inet_service . ipv4_addr ; flags interval ;"
    yield f"add set {TABLE} firewall-sources {{ {kind} }}"
    yield f"add chain {TABLE} {GUARD}"
    yield f"add rule {TABLE} {GUARD} {base.KEY} . ip saddr @firewall-sources return"
    yield f"add rule {TABLE} {GUARD} drop"


def _hairpin() -> Iterator[str]:
    """An endpoint that was sent to itself: seen after the translation, in one set for all."""
    yield f"add set {TABLE} hairpin {{ type ipv4_addr . ipv4_addr ; }}"
    rule = "ct status dnat ip saddr . ip daddr @hairpin jump mark-for-masquerade"
    yield f"insert rule {TABLE} masquerading {rule}"
