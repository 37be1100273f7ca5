"""The chains of ``nftables-flat``: one per kind of a port and number of its endpoints.

Whatever differs between two Services is in maps; a chain says only how a packet is treated (marked
or not, kept on the node or not, sent to where its client was before or not) and among how many
endpoints it is thrown. So there are as many chains as there are kinds in use, some ten, not one or
three per Service.

A chain names itself: ``tcp-internal-3``, ``udp-external-2``, ``tcp-local-5-2`` (policy Local: five
endpoints for pods and the node, two for all others), ``tcp-nodeport-external-2-for-10800s`` (by
node port, with affinity).

Throwing is one rule::

    dnat ip to ip daddr . tcp dport . numgen random mod 3 map @tcp-endpoints

Each protocol has chains and maps of its own: nft (1.0.6) takes the type of a port in a map's value
for a match of the protocol, and has none for ports of any.

Affinity (``sessionAffinity: ClientIP``) is two maps and one set for all Services. Each endpoint
has a number in each port of a Service; ``session-ids`` has it by place, ``session-endpoints`` has
the endpoint by number, and ``sessions`` which client has been sent to which number, until when::

    meta priority set KEY . PLACE map @session-ids ip saddr . meta priority @sessions goto …
    …                                                            # for each place, then at random:
    meta priority set KEY . numgen random mod 3 map @session-ids goto …
      update @sessions { ip saddr . meta priority timeout 10800s }
      dnat ip to KEY . meta priority map @session-endpoints

So a session is the client's and the port's, whichever address of the Service was used, and lasts
while its endpoint does, wherever that stands among the others. The number is kept in the packet's
priority, for it must be somewhere between two rules, and the kernel sets the priority of what it
forwards anew from the packet's type of service (``ip_forward``); the mark is not touched.

``numgen inc mod 1 offset 7`` is 7: nft takes no constant within a key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from testbed.proxy import options
from testbed.proxy.contract import ProxyNode
from testbed.proxy.modes import _nftbase as base
from testbed.proxy.modes._nftfragment import Chain

SHORT = 1 << 16
"""The place of the first endpoint that only pods and the node itself use, by policy Local."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where packets are addressed to.

    Attributes:
        prefix: Of the names of maps and chains.
        key: What packets are looked up by.
        protocol: ``tcp``, ``udp`` or ``sctp``.
    """

    prefix: str
    key: str
    protocol: str

    def short(self, key: str) -> str:
        """A key of a map of all protocols, such as ``service-ips``, in the protocol's own maps."""
        return " . ".join(part for part in key.split(" . ") if part != self.protocol)


PROTOCOLS = ("tcp", "udp", "sctp")
ADDRESS = {p: Place(f"{p}-", f"ip daddr . {p} dport", p) for p in PROTOCOLS}
NODE_PORT = {p: Place(f"{p}-nodeport-", f"{p} dport", p) for p in PROTOCOLS}


@lru_cache(maxsize=1 << 12)
def internal(node: ProxyNode, place: Place, count: int, seconds: int) -> tuple[Chain, ...]:
    """Chains for a cluster IP; the last is where packets go to.

    Args:
        node: The node.
        place: Where packets are addressed to.
        count: How many endpoints there are.
        seconds: How long affinity lasts; 0 for none.
    """
    mark = base.from_elsewhere(node)
    every = options.flag(node.settings, "masquerade_all")
    rules = [base.MASQUERADE] if every else [f"{mark} {base.MASQUERADE}"] if mark else []
    rules += _throw(place, count, 0, seconds)
    return (*_keep(place, seconds), _chain(place, f"internal-{count}", seconds, rules))


@lru_cache(maxsize=1 << 12)
def external(place: Place, count: int, seconds: int) -> tuple[Chain, ...]:
    """The same for other addresses and node ports, with policy Cluster."""
    rules = [base.MASQUERADE, *_throw(place, count, 0, seconds)]
    return (*_keep(place, seconds), _chain(place, f"external-{count}", seconds, rules))


@lru_cache(maxsize=1 << 12)
def local(node: ProxyNode, place: Place, every: int, own: int, seconds: int) -> tuple[Chain, ...]:
    """The same with policy Local.

    Args:
        node: The node.
        place: Where packets are addressed to.
        every: How many endpoints there are for pods and the node itself.
        own: How many of the node's there are for all others; with 0 such packets stay as they are.
        seconds: How long affinity lasts; 0 for none.
    """
    short = _chain(place, f"short-{every}", seconds, _throw(place, every, SHORT, seconds))
    rules = []
    if pods := base.from_pods(node):
        rules.append(f'{pods} goto {short.name} comment "short-circuit pod traffic"')
    rules += [
        f'fib saddr type local {base.MASQUERADE} comment "masquerade local traffic"',
        f'fib saddr type local goto {short.name} comment "short-circuit local traffic"',
    ]
    rules += _throw(place, own, 0, seconds) if own else []
    chain = _chain(place, f"local-{every}-{own}", seconds, rules)
    return (*_keep(place, seconds), short, chain)


def _chain(place: Place, name: str, seconds: int, rules: list[str]) -> Chain:
    suffix = f"-for-{seconds}s" if seconds else ""
    return Chain(f"{place.prefix}{name}{suffix}", tuple(rules))


def _throw(place: Place, count: int, first: int, seconds: int) -> list[str]:
    """The rules that choose among endpoints, from a place on."""
    dice = f"numgen random mod {count}" + (f" offset {first}" if first else "")
    if not seconds:
        return [f"dnat ip to {place.key} . {dice} map @{place.prefix}endpoints"]
    (keep,) = _keep(place, seconds)
    return [*_recall(place, count, first, keep.name), f"{_number(place, dice)} goto {keep.name}"]


def _recall(place: Place, count: int, first: int, keep: str) -> Iterator[str]:
    """The rules that find where a client was before."""
    for i in range(first, first + count):
        number = _number(place, f"numgen inc mod 1 offset {i}")
        yield f"{number} ip saddr . meta priority @sessions goto {keep}"


def _number(place: Place, index: str) -> str:
    return f"meta priority set {place.key} . {index} map @{place.prefix}session-ids"


def _keep(place: Place, seconds: int) -> tuple[Chain, ...]:
    """The chain that remembers where a client is sent to, and sends it there."""
    if not seconds:
        return ()
    rules = (
        f"update @sessions {{ ip saddr . meta priority timeout {seconds}s }}",
        f"dnat ip to {place.key} . meta priority map @{place.prefix}session-endpoints",
    )
    return (Chain(f"{place.prefix}keep-for-{seconds}s", rules),)
