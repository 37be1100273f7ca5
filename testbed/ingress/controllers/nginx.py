"""``nginx``: Ingresses by the real nginx, with ingress-nginx's annotations.

A ``server`` for each host, a ``location`` for each path, an ``upstream`` for each port of a Service
with kept connections. Hosts share one HTTPS listener; a host without a certificate has none in its
``server`` and so gets the default one's. HTTP/2 by ALPN; WebSockets; gRPC to the endpoints.

Names, order and answers are ingress-nginx's (``rootfs/etc/nginx/template/nginx.tmpl``): 308 to
HTTPS, 302 to the ``app-root``, 404 for what nobody has, 503 without endpoints, 413, 403.
"""

from __future__ import annotations

import math
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field

from testbed.ingress import quoting
from testbed.ingress.annotations import KNOWN
from testbed.ingress.contract import Controller, Setting, digest
from testbed.ingress.model import Affinity, Canary, Certificate, Route, Routing, Site
from testbed.templates import render

_BODY = 1 << 20
"""The largest body where nothing is said: nginx's own default, in bytes."""


@dataclass(frozen=True, slots=True)
class Location:
    """A ``location``: how it is matched, and the lines in it."""

    match: str
    lines: tuple[str, ...]


@dataclass
class _Variables:
    """The maps and upstreams that locations need, each once."""

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


def _locations(site: Site, variables: _Variables) -> list[Location]:
    found: dict[str, Location] = {}
    for route in site.routes:
        lines = tuple(_lines(route, variables))
        for match in _matches(route):
            found.setdefault(match, Location(match, lines))
    for route in site.routes:
        _without_slash(route, site, found, variables)
    found.setdefault("/", Location("/", ("return 404;",)))
    return list(found.values())


def _without_slash(
    route: Route, site: Site, found: dict[str, Location], variables: _Variables
) -> None:
    """What an exact path is without its last slash: nginx would redirect it to the one with it."""
    path = route.path.rstrip("/")
    if route.kind == "exact" and path and path != route.path:
        match = f"= {quoting.nginx(path)}"
        others = (
            r for r in site.routes if r.kind == "prefix" and f"{path}/".startswith(f"{r.path}/")
        )
        other = next(others, None)  # the longest: they are sorted
        lines = ("return 404;",) if other is None else tuple(_lines(other, variables))
        found.setdefault(match, Location(match, lines))


def _matches(route: Route) -> tuple[str, ...]:
    """A prefix is itself, and what is below it."""
    if route.kind == "regex":
        return (f"~* {quoting.nginx('^' + route.path)}",)
    if route.kind == "exact":
        return (f"= {quoting.nginx(route.path)}",)
    if not route.path:
        return ("/",)
    return f"= {quoting.nginx(route.path)}", quoting.nginx(route.path + "/")


def _lines(route: Route, variables: _Variables) -> list[str]:
    options, target = route.options, variables.target(route)
    lines = []
    if route.redirect:
        lines.append("if ($scheme = http) { return 308 https://$host$request_uri; }")
    if not target:
        return [*lines, "return 503;"]
    if target.startswith("$"):
        lines.append(f'if ({target} = "") {{ return 503; }}')
    if options.sources:
        lines += [f"allow {network};" for network in options.sources] + ["deny all;"]
    if options.body_size != _BODY:
        lines.append(f"client_max_body_size {options.body_size};")
    if options.affinity is not None:
        number = variables.number(options.affinity)
        lines.append(f"add_header Set-Cookie $set_cookie_{number} always;")
    if options.rewrite is not None and route.kind == "regex":
        expression = quoting.nginx("(?i)" + route.path)
        lines.append(f"rewrite {expression} {quoting.nginx(options.rewrite)} break;")
    grpc = options.protocol == "GRPC"
    lines.append(f"grpc_pass grpc://{target};" if grpc else f"proxy_pass http://{target};")
    return lines


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


def _server_name(host: str) -> str:
    if not host:
        return "_"
    if host.startswith("*."):
        return quoting.nginx(f"~^[^.]+{re.escape(host[1:])}$")
    return quoting.nginx(host)


def _power(least: int) -> int:
    """The least power of two that is no less."""
    return 1 << max(least - 1, 1).bit_length()


class Nginx:
    """See the module."""

    summary = "the real nginx, with ingress-nginx's annotations"
    needs: tuple[str, ...] = ("nginx",)
    controllers: tuple[str, ...] = ("k8s.io/ingress-nginx", "testbed/ingress")
    usual = "nginx"
    annotations = KNOWN
    reload = int(signal.SIGHUP)

    def files(self, routing: Routing, own: Certificate, setting: Setting) -> Mapping[str, str]:
        """``nginx.conf`` and the certificates."""
        variables = _Variables(routing)
        sites = [(site, _locations(site, variables)) for site in routing.sites.values()]
        longest = max(len(_server_name(host)) for host in routing.sites)
        text = render(
            "nginx.conf.j2",
            setting=setting,
            own=own,
            digest=digest(routing, own, setting),
            sites=sites,
            server_name=_server_name,
            app_root=lambda root: quoting.nginx("$scheme://$http_host" + root),
            upstreams=[
                (name, routing.upstreams[of].endpoints, variables.number(affinity))
                for (of, affinity), name in variables.upstreams.items()
            ],
            affinities=[_affinity(*item) for item in variables.affinities.items()],
            canaries=[_canary(*key, number) for key, number in variables.canaries.items()],
            names_max=_power(max(512, 2 * len(routing.sites))),
            names_bucket=_power(max(64, longest + 32)),
            variables_max=_power(max(1024, 4 * len(variables.canaries) + 1024)),
        )
        certificates = {c.name: c.pem for c in (own, *routing.certificates.values())}
        return {
            "nginx.conf": text,
            **{f"certificates/{name}.pem": pem for name, pem in certificates.items()},
        }

    def test(self, setting: Setting) -> tuple[str, ...]:
        """``nginx -t``."""
        return (*_command(setting), "-t", "-q")

    def start(self, setting: Setting) -> tuple[str, ...]:
        """The master process, in the foreground."""
        return (*_command(setting), "-g", "daemon off;")


def _command(setting: Setting) -> tuple[str, ...]:
    return "nginx", "-e", "stderr", "-p", setting.folder, "-c", f"{setting.folder}/nginx.conf"


controller: Controller = Nginx()
