"""Several Ingresses merged into one routing.

- The oldest wins: a host's path belongs to the first Ingress that has it, the others are told.
- A host is chosen first, its paths then; there is no way back to another host's.
- ``Exact`` before ``Prefix``, the longest first; ``ImplementationSpecific`` is ``Prefix``.
- ``use-regex`` or ``rewrite-target`` on any Ingress of a host make all of the host's paths regular
  expressions, without regard to case, the longest text first.
- A default backend takes what its own Ingress's hosts leave over, and all other hosts.

Sources: Kubernetes' documentation of Ingress; ingress-nginx ``docs/user-guide/
ingress-path-matching.md`` and ``internal/ingress/controller/controller.go``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from testbed.ingress import annotations as notes
from testbed.ingress import paths, sites
from testbed.ingress.backends import Backends, NoBackend
from testbed.ingress.certificates import Certificates
from testbed.ingress.classes import chosen
from testbed.ingress.model import Canary, Key, Options, PathKind, Problem, Route, Routing, State
from testbed.objects import Ingress, IngressBackend, IngressPath


def routing(
    state: State,
    controllers: Collection[str],
    usual: str,
    now: datetime,
    *,
    understood: Collection[str] = notes.KNOWN,
    ssl_redirect: bool = True,
) -> Routing:
    """What a controller serves.

    Args:
        state: All objects.
        controllers: The names by which classes mean this controller.
        usual: The class that the deprecated annotation means where there is no such class.
        now: For the dates of certificates; with a time zone.
        understood: The annotations that this controller has.
        ssl_redirect: Whether HTTP goes to HTTPS where a host has a ``tls`` section and no
            annotation says otherwise (ingress-nginx's ``ssl-redirect`` of its ConfigMap).
    """
    ours, problems = chosen(state, controllers, usual)
    merge = _Merge(state, now, frozenset(understood), ssl_redirect)
    merge.problems += problems
    for item in ours:
        merge.add(item)
    return merge.done()


class _Merge:
    """The routing while it grows."""

    def __init__(
        self, state: State, now: datetime, understood: frozenset[str], ssl_redirect: bool
    ) -> None:
        self._backends = Backends(state)
        self._certificates = Certificates(state.secrets, now)
        self._understood, self._ssl_redirect = understood, ssl_redirect
        self._sites = {"": sites.Growing("")}
        self._canaries: list[tuple[Ingress, Canary]] = []
        self.problems: list[Problem] = []

    def add(self, item: Ingress) -> None:
        """An Ingress; those before it are older."""
        key, given = item.metadata.key, notes.given(item.metadata.annotations)
        for name in sorted(given.keys() & (notes.KNOWN - self._understood)):
            self._tell(key, f"this controller does not have annotation {name}; it has no effect")
            del given[name]
        for message in notes.ignored(given):
            self._tell(key, message)
        try:
            values = notes.parse(given)
        except notes.BadAnnotation as error:
            self._tell(key, f"{error}; it is not served")
            return
        canary = notes.canary(values)
        if canary is not None:
            self._canaries.append((item, canary))
        else:
            options = replace(notes.options(values))
            if "ssl-redirect" not in values and not self._ssl_redirect:
                options = replace(options, ssl_redirect=False)
            self._add_rules(item, options)

    def _tell(self, key: Key, message: str) -> None:
        self.problems.append(Problem(key, message))

    def _add_rules(self, item: Ingress, options: Options) -> None:
        key = item.metadata.key
        hosts = list(dict.fromkeys(rule.host for rule in item.rules))
        for rule in item.rules:
            site = self._sites.setdefault(rule.host, sites.Growing(rule.host))
            site.join(options)
            for path in rule.paths:
                self._add_path(site, item, path, options)
        if item.default_backend is not None:
            route = Route("", "prefix", key, self._find(key, item.default_backend), options)
            for host in dict.fromkeys([*hosts, ""]):
                taken = self._sites[host].default
                if taken is None:
                    self._sites[host].default = route
                elif not host:
                    self._tell(key, f"the default backend is that of {'/'.join(taken.ingress)}")
        self._certificates.add(item, self._sites, self._tell)

    def _add_path(
        self, site: sites.Growing, item: Ingress, path: IngressPath, options: Options
    ) -> None:
        key, text = item.metadata.key, path.path or "/"
        bad = paths.expression(text) if options.use_regex or options.rewrite else paths.plain(text)
        if bad is not None:
            self._tell(key, f"path {text[:80]!r} {bad}; it is not served")
            return
        route = Route(text, _kind(path), key, self._find(key, path.backend), options)
        older = site.add(route)
        if older is not None:
            name = "/".join(older.ingress)
            self._tell(key, f"{site.host or '*'}{text} is already that of {name}, which keeps it")

    def _find(self, key: Key, backend: IngressBackend) -> str:
        try:
            return self._backends.find(key[0], backend).name
        except NoBackend as error:
            self._tell(key, f"{error}; its requests are answered with 503")
            return ""

    def _add_canary(self, item: Ingress, canary: Canary) -> None:
        key = item.metadata.key
        for rule in item.rules:
            for path in rule.paths:
                text, site = path.path or "/", self._sites.get(rule.host)
                said = site and site.set_canary(
                    text, _kind(path), (self._find(key, path.backend), canary)
                )
                if said != "":
                    place = f"{rule.host or '*'}{text[:80]}"
                    self._tell(key, f"canary of {place}: {said or 'there is no such host'}")

    def done(self) -> Routing:
        """The routing."""
        for item, canary in self._canaries:
            self._add_canary(item, canary)
        found = {host: site.done(self._tell) for host, site in sorted(self._sites.items())}
        routes = [route for site in found.values() for route in site.routes]
        used = {route.upstream for route in routes}
        used |= {route.canary[0] for route in routes if route.canary}
        upstreams = {name: up for name, up in sorted(self._backends.found.items()) if name in used}
        certificates = self._certificates.used(site.certificate for site in found.values())
        return Routing(found, upstreams, certificates, tuple(self.problems))


def _kind(path: IngressPath) -> PathKind:
    return "exact" if path.type == "Exact" else "prefix"
