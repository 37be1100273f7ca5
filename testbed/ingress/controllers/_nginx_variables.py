"""What nginx's locations refer to: upstreams, and the maps behind cookies and canaries."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from testbed.ingress import quoting
from testbed.ingress.model import Affinity, Canary, Endpoint, Route, Routing


@dataclass
class Variables:
    """The maps and upstreams that locations need, each once.

    Attributes:
        routing: What is served.
        affinities: Each affinity's number.
        upstreams: A port of a Service, with an affinity or without → name of its ``upstream``.
        canaries: Where most requests go, where some, and which ones → its number.
    """

    routing: Routing
    affinities: dict[Affinity, int] = field(default_factory=dict)
    upstreams: dict[tuple[str, Affinity | None], str] = field(default_factory=dict)
    canaries: dict[tuple[str, str, Canary], int] = field(default_factory=dict)

    def number(self, affinity: Affinity | None) -> int | None:
        """Which of the maps are those of an affinity."""
        if affinity is None:
            return None
        return self.affinities.setdefault(affinity, len(self.affinities))

    def upstream(self, name: str, affinity: Affinity | None) -> str:
        """The ``upstream`` of a Service's port; empty if there is nowhere to go."""
        if not name or not self.routing.upstreams[name].endpoints:
            return ""
        if affinity is not None:
            variant = f"{name}_a{self.number(affinity)}"
            return self.upstreams.setdefault((name, affinity), variant)
        return self.upstreams.setdefault((name, None), name)

    def target(self, route: Route) -> str:
        """What requests are passed to: an ``upstream``, or a variable that names one."""
        main = self.upstream(route.upstream, route.options.affinity)
        if route.canary is None:
            return main
        other = self.upstream(route.canary[0], route.options.affinity)
        if not other:
            return main
        key = (main, other, route.canary[1])
        return f"$canary_{self.canaries.setdefault(key, len(self.canaries))}"

    def upstream_blocks(self) -> list[tuple[str, tuple[Endpoint, ...], int | None]]:
        """Name, endpoints and number of the affinity of each ``upstream``."""
        return [
            (name, self.routing.upstreams[of].endpoints, self.number(affinity))
            for (of, affinity), name in self.upstreams.items()
        ]

    def affinity_maps(self) -> list[dict[str, object]]:
        """The values of each affinity's maps."""
        return [_affinity(*item) for item in self.affinities.items()]

    def canary_maps(self) -> list[dict[str, object]]:
        """The values of each canary's maps."""
        return [_canary(*key, number) for key, number in self.canaries.items()]


def _cookie(name: str) -> str:
    """The expression that finds a cookie's value."""
    return quoting.nginx(f"~(?:^|;)\\s*{re.escape(name)}=([^;]+)")


def _set_cookie(affinity: Affinity) -> str:
    parts = [f"{affinity.cookie}=$request_id", f"Path={affinity.path}"]
    if affinity.max_age is not None:
        parts.append(f"Max-Age={affinity.max_age}")
    if affinity.same_site:
        parts.append(f"SameSite={affinity.same_site}")
    return quoting.nginx("; ".join([*parts, "HttpOnly"]) + "$cookie_is_secure")


def _affinity(affinity: Affinity, number: int) -> dict[str, object]:
    found, said = _cookie(affinity.cookie), _set_cookie(affinity)
    return {"number": number, "cookie": found, "set_cookie": said}


def _canary(main: str, other: str, canary: Canary, number: int) -> dict[str, object]:
    percent = math.floor(canary.share * 10_000) / 100
    value = canary.header_value
    return {
        "number": number,
        "main": quoting.nginx(main),
        "other": quoting.nginx(other),
        "percent": f"{percent:.2f}" if 0 < percent < 100 else "",
        "rest": quoting.nginx(other if percent >= 100 else main),
        "cookie": _cookie(canary.cookie) if canary.cookie else "",
        "header": canary.header.lower().replace("-", "_"),
        "always": quoting.nginx(f"~^{re.escape(value)}$" if value else "always"),
        "never": not value,
    }
