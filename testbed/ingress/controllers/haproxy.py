"""``haproxy``: Ingresses by the real HAProxy.

Hosts and paths are looked up in maps, so that a request costs the same however many there are: the
host gives a site, site and path give a backend. A backend is a port of a Service together with what
annotations say; paths with the same share it. Certificates are chosen by SNI from a list. HTTP/2 by
ALPN, WebSockets, gRPC to the endpoints.

It reads the annotations of ingress-nginx, but for regular expressions: ``use-regex`` and
``rewrite-target`` are told and have no effect. Paths are compared after percent-decoding; unlike
nginx it neither merges slashes nor resolves ``..``.
"""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from testbed.ingress import quoting
from testbed.ingress.annotations import KNOWN
from testbed.ingress.contract import Controller, Setting, digest
from testbed.ingress.model import Affinity, Canary, Certificate, Endpoint, Options, Route, Routing
from testbed.templates import render

_PATH = "path,url_dec"
_WORDS = 32  # of a line; HAProxy takes 64


@dataclass(frozen=True, slots=True)
class _Backend:
    """What makes a backend another one."""

    upstream: str
    options: Options
    redirect: bool
    own: int = 0  # of a route with a canary, which is switched by the backend's name


@dataclass
class _Backends:
    """The backends, each once, and the switches of canaries."""

    routing: Routing
    names: dict[_Backend, str] = field(default_factory=dict)
    switches: list[str] = field(default_factory=list)

    def of(self, route: Route) -> str:
        """The backend of a route."""
        main = self._name(route, route.upstream, len(self.switches) + 1 if route.canary else 0)
        if route.canary is not None and self._endpoints(route.canary[0]):
            other = self._name(route, route.canary[0], 0)
            self.switches += _switches(main, other, route.canary[1])
        return main

    def _name(self, route: Route, upstream: str, own: int) -> str:
        options = replace(route.options, app_root="", use_regex=False, rewrite=None)
        key = _Backend(upstream, options, route.redirect, own)
        return self.names.setdefault(key, f"b{len(self.names)}")

    def _endpoints(self, upstream: str) -> tuple[Endpoint, ...]:
        return self.routing.upstreams[upstream].endpoints if upstream else ()

    def sections(self) -> Iterable[dict[str, object]]:
        """The sections of the configuration."""
        for key, name in self.names.items():
            servers = [_server(one, key.options) for one in self._endpoints(key.upstream)]
            lines = [*_lines(key.options, key.redirect), *servers]
            yield {"name": name, "upstream": key.upstream, "lines": lines}


def _switches(main: str, other: str, canary: Canary) -> list[str]:
    """What chooses between a backend and its canary: the first that applies."""
    here, undecided = f"{{ var(txn.backend) -m str {main} }}", "!{ var(txn.choice) -m found }"

    def choose(backend: str, condition: str) -> str:
        return f"http-request set-var(txn.choice) str({backend}) if {here} {undecided} {condition}"

    lines = []
    if canary.header:
        value = canary.header_value or "always"
        lines.append(
            choose(other, f"{{ req.hdr({canary.header}) -m str -- {quoting.haproxy(value)} }}")
        )
        if not canary.header_value:
            lines.append(choose(main, f"{{ req.hdr({canary.header}) -m str never }}"))
    if canary.cookie:
        lines.append(choose(other, f"{{ req.cook({canary.cookie}) -m str always }}"))
        lines.append(choose(main, f"{{ req.cook({canary.cookie}) -m str never }}"))
    if canary.share:
        lines.append(choose(other, f"{{ rand({canary.weight_total}) lt {canary.weight} }}"))
    return lines


def _lines(options: Options, redirect: bool) -> list[str]:
    lines = []
    if redirect:
        target = "https://%[var(txn.host)]%[pathq]"
        lines.append(f"http-request redirect code 308 location {target} unless {{ ssl_fc }}")
    if options.sources:
        for start in range(0, len(options.sources), _WORDS):
            some = " ".join(map(str, options.sources[start : start + _WORDS]))
            lines.append(f"acl allowed src {some}")
        lines.append("http-request deny deny_status 403 unless allowed")
    if options.body_size:
        large = f"{{ req.body_size gt {options.body_size} }}"
        lines.append(f"http-request deny deny_status 413 if {large}")
    if options.affinity is not None:
        lines.append(_cookie(options.affinity))
    return lines


def _cookie(affinity: Affinity) -> str:
    attributes = [f"path={affinity.path}"]
    if affinity.max_age is not None:
        attributes.append(f"Max-Age={affinity.max_age}")
    if affinity.same_site:
        attributes.append(f"SameSite={affinity.same_site}")
    found = " ".join(f"attr {quoting.haproxy(one)}" for one in attributes)
    return f"cookie {affinity.cookie} insert indirect nocache httponly {found}"


def _server(endpoint: Endpoint, options: Options) -> str:
    """A server; its name and cookie follow from its address, so that they outlive a reload."""
    name = "e" + hashlib.sha256(str(endpoint).encode()).hexdigest()[:16]
    http2 = " proto h2" if options.protocol == "GRPC" else ""
    cookie = f" cookie {name}" if options.affinity is not None else ""
    return f"server {name} {endpoint}{http2}{cookie}"


@dataclass
class _Maps:
    """The files in which hosts and paths are looked up."""

    hosts: list[str] = field(default_factory=list)
    exact: list[str] = field(default_factory=list)
    prefix: list[str] = field(default_factory=list)


def _maps(routing: Routing, backends: _Backends, numbers: Mapping[str, int]) -> _Maps:
    maps = _Maps()
    for host, site in routing.sites.items():
        number = f"s{numbers[host]}"
        if host:
            maps.hosts.append(f"{host} {number}")
        for route in site.routes:
            if route.kind == "regex":  # there is none without the annotations for it
                continue
            backend = backends.of(route)
            if route.kind == "exact":
                maps.exact.append(f"{number}{route.path} {backend}")
            else:
                maps.prefix.append(f"{number}{route.path}/ {backend}")
    return maps


class Haproxy:
    """See the module."""

    summary = "the real HAProxy: maps, certificates by SNI; no regular expressions"
    needs: tuple[str, ...] = ("haproxy",)
    controllers: tuple[str, ...] = ("haproxy.org/ingress-controller/haproxy", "testbed/ingress")
    usual = "haproxy"
    annotations = KNOWN - {"use-regex", "rewrite-target"}
    reload = int(signal.SIGUSR2)
    quit = int(signal.SIGUSR1)
    namespace = "haproxy-ingress"
    image = "haproxytech/kubernetes-ingress:3.1"

    def files(self, routing: Routing, own: Certificate, setting: Setting) -> Mapping[str, str]:
        """``haproxy.cfg``, its maps, and the certificates with the list of their hosts."""
        numbers = {host: number for number, host in enumerate(routing.sites)}
        backends = _Backends(routing)
        maps = _maps(routing, backends, numbers)
        roots = [(f"s{numbers[h]}", s.app_root) for h, s in routing.sites.items() if s.app_root]
        text = render(
            "haproxy.cfg.j2",
            setting=setting,
            digest=digest(routing, own, setting),
            rest=f"s{numbers['']}",
            path=_PATH,
            app_roots=roots,
            app_root=quoting.haproxy_format,
            switches=backends.switches,
            backends=list(backends.sections()),
        )
        certificates = {c.name: c.pem for c in (own, *routing.certificates.values())}
        return {
            "haproxy.cfg": text,
            "hosts.map": _file(maps.hosts),
            "exact.map": _file(maps.exact),
            "prefix.map": _file(maps.prefix),
            "certificates.list": _file(_certificates(routing, own, setting)),
            **{f"certificates/{name}.pem": pem for name, pem in certificates.items()},
        }

    def test(self, setting: Setting) -> tuple[str, ...]:
        """``haproxy -c``."""
        return "haproxy", "-c", "-f", f"{setting.folder}/haproxy.cfg"

    def start(self, setting: Setting) -> tuple[str, ...]:
        """The master process with its worker, in the foreground."""
        return "haproxy", "-W", "-db", "-f", f"{setting.folder}/haproxy.cfg"


def _certificates(routing: Routing, own: Certificate, setting: Setting) -> Iterable[str]:
    """The certificates with their hosts; the first is that of all others."""
    folder = f"{setting.folder}/certificates"
    yield f"{folder}/{own.name}.pem"
    for host, site in routing.sites.items():
        if host and site.certificate:
            yield f"{folder}/{site.certificate}.pem {host}"


def _file(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


controller: Controller = Haproxy()
