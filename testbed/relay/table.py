"""What a relay knows: places, backends, whose turn it is, and which client is where. Pure.

Source: ``pkg/proxy/userspace/roundrobin.go`` (``LoadBalancerRR``), Kubernetes 1.25.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

Endpoint = tuple[str, int]
Key = tuple[str, str, int]


class Backend:
    """The endpoints of a port of a Service."""

    def __init__(self) -> None:
        self._endpoints: list[Endpoint] = []
        self._turn = self._affinity = 0
        self._clients: OrderedDict[str, tuple[Endpoint, float]] = OrderedDict()

    def become(self, endpoints: list[Endpoint], affinity: int) -> None:
        """Has these endpoints from now on; clients of others have none any more.

        Args:
            endpoints: All of them.
            affinity: Seconds that a client stays with its endpoint after its last connection.
        """
        if endpoints != self._endpoints:
            self._endpoints, self._turn = endpoints, 0
        kept = self._clients.items() if affinity else ()
        known = {*endpoints}
        self._clients = OrderedDict((ip, held) for ip, held in kept if held[0] in known)
        self._affinity = affinity

    def next(self, client: str, now: float, again: bool = False) -> Endpoint | None:
        """The endpoint of a connection; None if there is none.

        Args:
            client: The client's address.
            now: Seconds, of a clock that does not go back.
            again: Whether the endpoint that it was given just now does not answer.
        """
        if not self._endpoints:
            return None
        held = None if again else self._held(client, now)
        if held is None:
            held = self._endpoints[self._turn]
            self._turn = (self._turn + 1) % len(self._endpoints)
        if self._affinity:
            self._clients[client] = held, now
            self._clients.move_to_end(client)
        return held

    def _held(self, client: str, now: float) -> Endpoint | None:
        """The client's endpoint; those of clients that were here too long ago are forgotten."""
        while self._clients:
            oldest, (_, used) = next(iter(self._clients.items()))
            if now - used < self._affinity:
                break
            del self._clients[oldest]
        found = self._clients.get(client)
        return found[0] if found else None


class Table:
    """All of them."""

    def __init__(self) -> None:
        self._backends: dict[str, Backend] = {}
        self._places: dict[Key, str] = {}

    def update(self, change: Mapping[str, Any]) -> None:
        """Takes a change.

        Args:
            change: ``backends`` (name → endpoints and affinity), ``places`` (protocol, address,
                port, name), ``gone_places`` and ``gone`` (names).
        """
        for name, (endpoints, affinity) in change["backends"].items():
            backend = self._backends.setdefault(name, Backend())
            backend.become([(ip, port) for ip, port in endpoints], affinity)
        for protocol, address, port, name in change["places"]:
            self._places[protocol, address, port] = name
        for protocol, address, port in change["gone_places"]:
            self._places.pop((protocol, address, port), None)
        for name in change["gone"]:
            self._backends.pop(name, None)

    def find(self, protocol: str, address: str, port: int) -> Backend | None:
        """What is at an address and port, or else at this port of the node; None for nothing."""
        name = self._places.get((protocol, address, port))
        name = name or self._places.get((protocol, "", port))
        return self._backends.get(name) if name else None
