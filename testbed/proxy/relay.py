"""What a node's relay is told (:mod:`testbed.relay`), as data. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

PORTS = (20240, 20247)
"""The ports that a relay listens at, the first and the last, for TCP and UDP.

More than one, so that a client that talks to two Services from one port of its own can do so: after
translation, its two connections must not look alike.
"""

PORTALS = "KUBE-PORTALS"
NODE_PORTS = {"TCP": "KUBE-NODEPORT-TCP", "UDP": "KUBE-NODEPORT-UDP"}
SETS = {PORTALS: "hash:ip,port", **dict.fromkeys(NODE_PORTS.values(), "bitmap:port")}
"""Names of the ipsets whose members are sent to the relay → their types."""


class Place(NamedTuple):
    """Where clients reach a port of a Service.

    Attributes:
        protocol: ``TCP`` or ``UDP``.
        address: The address; empty for a node port, which is at all addresses of the node.
        port: The port.
    """

    protocol: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a relay sends what comes for a port of a Service.

    Attributes:
        endpoints: Address and port of each.
        affinity: Seconds that a client's address stays with its endpoint; 0 for none.
    """

    endpoints: tuple[tuple[str, int], ...]
    affinity: int = 0


@dataclass(frozen=True, slots=True)
class Relay:
    """A change of what a node's relay knows, and of the sets that lead to it.

    It may be done again, and end as if it had been done once.

    Attributes:
        address: Where the relay listens: an address of the node.
        backends: Those that are new or differ, by name.
        gone: Names of those that go.
        places: New ones, and those that lead elsewhere now → name of the backend.
        gone_places: Those that go.
    """

    address: str
    backends: Mapping[str, Backend] = field(default_factory=dict, hash=False)
    gone: tuple[str, ...] = ()
    places: Mapping[Place, str] = field(default_factory=dict, hash=False)
    gone_places: tuple[Place, ...] = ()
