"""A host while its routing grows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from testbed.ingress import paths
from testbed.ingress.model import Canary, Key, Options, PathKind, Route, Site

Tell = Callable[[Key, str], None]
"""Takes what is not served: an Ingress and a message."""


@dataclass
class Growing:
    """A host to which Ingresses are added, the oldest first.

    Attributes:
        host: As in :class:`~testbed.ingress.model.Site`.
        default: Where the rest goes; None for nowhere.
        regex: Whether its paths are regular expressions.
        app_root: The first one.
        tls: Whether an Ingress has it in a ``tls`` section.
        certificate: Name of its certificate.
    """

    host: str
    default: Route | None = None
    regex: bool = False
    app_root: str = ""
    tls: bool = False
    certificate: str = ""
    _routes: dict[tuple[PathKind, str], Route] = field(default_factory=dict)

    def join(self, options: Options) -> None:
        """An Ingress has a rule for this host."""
        self.regex |= options.use_regex or options.rewrite is not None
        self.app_root = self.app_root or options.app_root

    def add(self, route: Route) -> Route | None:
        """A route, unless there is one of its path: then that one is returned."""
        older = self._routes.setdefault((route.kind, route.path), route)
        return None if older is route else older

    def set_canary(self, path: str, kind: PathKind, canary: tuple[str, Canary]) -> str:
        """Sends some requests of a path elsewhere; why it cannot be, or an empty text."""
        route = self._routes.get((kind, path))
        if route is None:
            return "there is no such path that is no canary; it has no effect"
        if route.canary is not None:
            return "there is another canary; it has no effect"
        if not canary[0]:
            return "its Service cannot be found; it has no effect"
        self._routes[kind, path] = replace(route, canary=canary)
        return ""

    def done(self, tell: Tell) -> Site:
        """The host."""
        routes = self._regexes(tell) if self.regex else self._plain(tell)
        if self.default is not None and not any(r.path == "" for r in routes):
            routes.append(self.default)
        found = [replace(route, redirect=self._redirects(route.options)) for route in routes]
        return Site(self.host, tuple(found), self.app_root, self.certificate)

    def _redirects(self, options: Options) -> bool:
        return options.force_ssl_redirect or (options.ssl_redirect and self.tls)

    def _regexes(self, tell: Tell) -> list[Route]:
        """All paths as expressions, the longest first."""
        found: dict[str, Route] = {}
        for route in self._routes.values():
            bad = paths.expression(route.path)
            if bad is not None:
                tell(route.ingress, f"path {route.path[:80]!r} {bad}; it is not served")
            elif route.path in found:
                self._tell_taken(route, found[route.path], tell)
            else:
                found[route.path] = replace(route, kind="regex")
        return sorted(found.values(), key=lambda route: -len(route.path))

    def _plain(self, tell: Tell) -> list[Route]:
        """Exact paths, then prefixes without their last slash, decoded, the longest first."""
        found: dict[tuple[PathKind, str], Route] = {}
        for route in self._routes.values():
            path = paths.decoded(route.path)
            key = (route.kind, path.rstrip("/") if route.kind == "prefix" else path)
            if key in found:
                self._tell_taken(route, found[key], tell)
            else:
                found[key] = replace(route, path=key[1])
        order = {"exact": 0, "prefix": 1}
        return sorted(found.values(), key=lambda route: (order[route.kind], -len(route.path)))

    def _tell_taken(self, route: Route, older: Route, tell: Tell) -> None:
        place, name = f"{self.host or '*'}{route.path}", "/".join(older.ingress)
        tell(route.ingress, f"{place} is already that of {name}, which keeps it")
