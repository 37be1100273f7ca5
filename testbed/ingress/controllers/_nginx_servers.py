"""Hosts as nginx's ``server`` and ``location`` blocks.

A block costs nginx 20 KiB in each process, and time to set up. So hosts that differ in nothing but
in where their requests go share one ``server``, in which a map of ``$host`` says where.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from testbed.ingress import quoting
from testbed.ingress.controllers._nginx_variables import Variables
from testbed.ingress.model import Route, Site

_BODY = 1 << 20
"""The largest body where nothing is said: nginx's own default, in bytes."""

_LONGEST = 250
"""The longest path that is no expression, in bytes: nginx keeps a length in one byte, and says
nothing (``ngx_http_location_tree_node_t``)."""

_NOT_FOUND = ("return 404;",)


@dataclass(frozen=True, slots=True)
class Location:
    """A ``location``.

    Attributes:
        match: How it is matched.
        lines: What is in it, but for the last line.
        verb: The last line up to the target; empty if there is none.
        target: An ``upstream`` or a variable.
    """

    match: str
    lines: tuple[str, ...]
    verb: str = ""
    target: str = ""

    @property
    def body(self) -> Iterable[str]:
        """All its lines."""
        return (*self.lines, f"{self.verb}{self.target};") if self.verb else self.lines


@dataclass(frozen=True, slots=True)
class Server:
    """A ``server``.

    Attributes:
        names: Its ``server_name``.
        site: The first of its hosts.
        locations: In nginx's own order, which makes sorting them cheap.
    """

    names: tuple[str, ...]
    site: Site
    locations: tuple[Location, ...]


@dataclass
class Servers:
    """All servers, and the maps from hosts to upstreams that they need.

    Attributes:
        servers: The servers.
        maps: Host and target of each → name of the variable.
    """

    servers: list[Server] = field(default_factory=list)
    maps: dict[tuple[tuple[str, str], ...], str] = field(default_factory=dict)


def servers(sites: Mapping[str, Site], variables: Variables) -> Servers:
    """The servers of all hosts."""
    groups: dict[object, list[tuple[Site, tuple[Location, ...]]]] = {}
    for host, site in sites.items():
        found = _locations(site, variables)
        shape = tuple((one.match, one.lines, one.verb) for one in found)
        alone = host if not host or host.startswith("*.") or site.certificate else None
        groups.setdefault((shape, site.app_root, alone), []).append((site, found))
    made = Servers()
    for group in groups.values():
        names = tuple(server_name(site.host) for site, _ in group)
        made.servers.append(Server(names, group[0][0], _joined(group, made.maps)))
    return made


def _joined(
    group: list[tuple[Site, tuple[Location, ...]]], maps: dict[tuple[tuple[str, str], ...], str]
) -> tuple[Location, ...]:
    """The locations of hosts of one shape, with a map where their targets differ."""
    joined = []
    for index, first in enumerate(group[0][1]):
        targets = tuple((site.host, locations[index].target) for site, locations in group)
        if any(target != first.target for _, target in targets):
            name = maps.setdefault(targets, f"$of_host_{len(maps)}")
            first = replace(first, target=name)  # noqa: PLW2901 - the joined one
        joined.append(first)
    return tuple(joined)


def server_name(host: str) -> str:
    """A host as nginx has it; nginx's own wildcards would cover any number of labels."""
    if not host:
        return "_"
    if host.startswith("*."):
        return quoting.nginx(f"~^[^.]+{re.escape(host[1:])}$")
    return quoting.nginx(host)


def _locations(site: Site, variables: Variables) -> tuple[Location, ...]:
    found: dict[str, Location] = {}
    for route in site.routes:
        for match in _matches(route):
            found.setdefault(match, _location(match, route, variables))
    for route in site.routes:
        _without_slash(route, site, found, variables)
    found.setdefault('"/"', Location('"/"', _NOT_FOUND))
    return tuple(sorted(found.values(), key=_order))


def _order(location: Location) -> tuple[bool, bytes, bool]:
    """Nginx's order: expressions last and as they were, a slash before all else."""
    if location.match.startswith("~"):
        return True, b"", False
    path = location.match.removeprefix("= ").encode().replace(b"/", b"\0")
    return False, path.strip(b'"'), not location.match.startswith("=")


def _without_slash(
    route: Route, site: Site, found: dict[str, Location], variables: Variables
) -> None:
    """What an exact path is without its last slash: nginx would redirect it to the one with it."""
    path = route.path.rstrip("/")
    if route.kind == "exact" and path not in ("", route.path) and len(path.encode()) < _LONGEST:
        match = f"= {quoting.nginx(path)}"
        others = (
            r for r in site.routes if r.kind == "prefix" and f"{path}/".startswith(f"{r.path}/")
        )
        other = next(others, None)  # the longest: they are sorted
        if other is None:
            found.setdefault(match, Location(match, _NOT_FOUND))
        else:
            found.setdefault(match, _location(match, other, variables))


def _matches(route: Route) -> tuple[str, ...]:
    """A prefix is itself, and what is below it."""
    if route.kind == "regex":
        return (f"~* {quoting.nginx('^' + route.path)}",)
    if len(route.path.encode()) > _LONGEST:
        end = r"\z" if route.kind == "exact" else r"(?:/|\z)"
        return (f"~ {quoting.nginx('^' + re.escape(route.path) + end)}",)
    if route.kind == "exact":
        return (f"= {quoting.nginx(route.path)}",)
    if not route.path:
        return ('"/"',)
    return f"= {quoting.nginx(route.path)}", quoting.nginx(route.path + "/")


def _location(match: str, route: Route, variables: Variables) -> Location:
    options, target = route.options, variables.target(route)
    lines = []
    if route.redirect:
        lines.append("if ($scheme = http) { return 308 https://$host$request_uri; }")
    if not target:
        return Location(match, (*lines, "return 503;"))
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
    verb = "grpc_pass grpc://" if options.protocol == "GRPC" else "proxy_pass http://"
    return Location(match, tuple(lines), verb, target)
