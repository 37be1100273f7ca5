"""What a controller is given: objects of a cluster, and the routing that they come to.

Everything in a :class:`Routing` has been checked and is of a type that says what it can be. Text is
only what its class says: names of Kubernetes objects, hosts, paths without control characters,
expressions of :func:`testbed.ingress.paths.expression`, PEM that has been written anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Literal, NamedTuple

from testbed.objects import EndpointSlice, Ingress, IngressClass, Secret, Service

Key = tuple[str, str]
"""Namespace and name."""

Protocol = Literal["HTTP", "GRPC"]
"""What is spoken to endpoints: HTTP/1.1, or gRPC, which is HTTP/2 without TLS."""

PathKind = Literal["exact", "prefix", "regex"]
"""How a path is compared: whole, by its elements, or by a regular expression."""


@dataclass(frozen=True)
class State:
    """What a controller watches.

    Attributes:
        ingresses: The oldest first.
        classes: The oldest first.
        services: By namespace and name.
        slices: All EndpointSlices.
        secrets: By namespace and name.
    """

    ingresses: tuple[Ingress, ...] = ()
    classes: tuple[IngressClass, ...] = ()
    services: Mapping[Key, Service] = field(default_factory=dict)
    slices: tuple[EndpointSlice, ...] = ()
    secrets: Mapping[Key, Secret] = field(default_factory=dict)


class Problem(NamedTuple):
    """Something of an Ingress that is not served, or not as it says.

    Attributes:
        ingress: Namespace and name of the Ingress.
        message: What, why and what becomes of it; may quote the user.
    """

    ingress: Key
    message: str

    def __str__(self) -> str:
        return f"Ingress {self.ingress[0]}/{self.ingress[1]}: {self.message}"


class Endpoint(NamedTuple):
    """Where a request can go.

    Attributes:
        ip: An address as :mod:`ipaddress` writes it.
        port: Its port.
    """

    ip: str
    port: int

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


@dataclass(frozen=True, slots=True)
class Upstream:
    """A port of a Service.

    Attributes:
        name: ``NAMESPACE_SERVICE_PORT``: unique, as no part can have an underscore.
        endpoints: The ready ones, sorted; without any, requests get 503.
    """

    name: str
    endpoints: tuple[Endpoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Affinity:
    """A cookie that keeps a client with its endpoint.

    Attributes:
        cookie: Its name, of RFC 6265's tokens.
        path: Its path.
        max_age: How long it lasts, in seconds; None until the browser is closed.
        same_site: ``None``, ``Lax``, ``Strict``; empty if it says nothing.
    """

    cookie: str = "INGRESSCOOKIE"
    path: str = "/"
    max_age: int | None = None
    same_site: Literal["", "None", "Lax", "Strict"] = ""


@dataclass(frozen=True, slots=True)
class Canary:
    """Who goes to another Service: by header, else by cookie, else by chance.

    Attributes:
        header: Name of the header; empty for none.
        header_value: The value that means the canary; empty for ``always`` (and ``never``).
        cookie: Name of the cookie that says ``always`` or ``never``; empty for none.
        weight: Share of the other requests, of ``weight_total``.
        weight_total: What all of them are.
    """

    header: str = ""
    header_value: str = ""
    cookie: str = ""
    weight: int = 0
    weight_total: int = 100

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return min(1.0, self.weight / self.weight_total)


@dataclass(frozen=True, slots=True)
class Options:
    """What annotations say of an Ingress's paths. The defaults are those of ingress-nginx.

    Attributes:
        rewrite: The path that the endpoint gets, with ``$1`` … for what groups matched; or None.
        use_regex: Whether its paths are regular expressions.
        ssl_redirect: Whether HTTP goes to HTTPS where the host has a certificate.
        force_ssl_redirect: Whether it does anywhere.
        app_root: Where ``/`` of its hosts redirects to; empty for nowhere.
        body_size: The largest body, in bytes; 0 for any.
        sources: Who may come; empty for all.
        affinity: The cookie; None for none.
        protocol: What endpoints speak.
    """

    rewrite: str | None = None
    use_regex: bool = False
    ssl_redirect: bool = True
    force_ssl_redirect: bool = False
    app_root: str = ""
    body_size: int = 1 << 20
    sources: tuple[IPv4Network | IPv6Network, ...] = ()
    affinity: Affinity | None = None
    protocol: Protocol = "HTTP"


@dataclass(frozen=True, slots=True)
class Route:
    """A path of a host.

    Attributes:
        path: An expression; or a path without escapes and without spaces, of ``prefix`` without a
            slash at its end, empty for all.
        kind: How it is compared.
        ingress: Namespace and name of the Ingress that says so.
        upstream: Name of the upstream; empty if it cannot be found, which is 503.
        options: What its annotations say.
        redirect: Whether HTTP goes to HTTPS.
        canary: Where some requests go instead: an upstream's name, and which ones.
    """

    path: str
    kind: PathKind
    ingress: Key
    upstream: str
    options: Options = Options()
    redirect: bool = False
    canary: tuple[str, Canary] | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """A host.

    Attributes:
        host: A name, ``*.`` and a name for exactly one label before it, or empty for all others.
        routes: In the order in which they are to be tried.
        app_root: Where ``/`` redirects to; empty for nowhere.
        certificate: Name of its certificate; empty for the controller's own.
    """

    host: str
    routes: tuple[Route, ...]
    app_root: str = ""
    certificate: str = ""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its private key.

    Attributes:
        name: ``NAMESPACE_SECRET``, or the beginning of it and a hash; good for a file.
        pem: The key and the certificates, its own first, written anew from what was read.
    """

    name: str
    pem: str = field(repr=False)


@dataclass(frozen=True)
class Routing:
    """All that a controller serves.

    Attributes:
        sites: By host; that of all other hosts (empty) is always there.
        upstreams: By name; each one that a route names.
        certificates: By name; each one that a site names.
        problems: What is not served, or not as it says, in the order of the Ingresses.
    """

    sites: Mapping[str, Site]
    upstreams: Mapping[str, Upstream] = field(default_factory=dict)
    certificates: Mapping[str, Certificate] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
