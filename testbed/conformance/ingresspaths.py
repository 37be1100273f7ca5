"""The paths of a lab's own Ingresses, and what the answer to a request for one must be.

What a pod answers is its own affair. What must not be: the controller's own 404, as if the path
were nobody's; 503 although an endpoint is ready; 502 or 504; anything but 503 where none is ready.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from testbed.conformance.web import Answer
from testbed.lab.client import Lab

_MOST = 100  # paths that are asked for
_EXPRESSIONS = ("rewrite-target", "use-regex")
_PREFIX = "nginx.ingress.kubernetes.io/"
_REDIRECTS, _FORBIDDEN = (301, 302, 308), 403
_GATEWAY = (502, 504)
_UNAVAILABLE = 503
_NOT_FOUND = 404
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request.

    Attributes:
        name: Of the Ingress, with its namespace.
        host: The host.
        path: The path.
        sni: The host for TLS; None for HTTP.
        ready: Whether its Service has an endpoint that is ready.
    """

    name: str
    host: str
    path: str
    sni: str | None
    ready: bool

    def __str__(self) -> str:
        return f"{self.name}: {'https' if self.sni else 'http'}://{self.host}{self.path}"


def asked_paths(lab: Lab, address: str, without: str) -> list[Asked]:
    """Requests for the paths of served Ingresses, at most so many; expressions are not asked for.

    Args:
        lab: The lab.
        address: The controller's; an Ingress that has it is served.
        without: A namespace that is left out.
    """
    ready = _ready(lab)
    items = [
        item
        for item in lab.objects("ingresses")
        if item["metadata"]["namespace"] != without
        and {"ip": address} in item["status"]["loadBalancer"].get("ingress", ())
    ]
    spoilt = {host for item in items if _has_expressions(item) for host in _hosts(item)}
    found = [one for item in items for one in _of(item, ready, spoilt)]
    return found[:_MOST]


def wrong(one: Asked, answer: Answer, nobody: Answer) -> str:
    """What is wrong with an answer; empty if nothing is.

    Args:
        one: What was asked.
        answer: What came back.
        nobody: What comes back for a host that nobody has.
    """
    if answer.status in _REDIRECTS or answer.status == _FORBIDDEN:
        return ""
    if answer.status in _GATEWAY:
        return f"{one}: {answer.status}"
    if answer.status == nobody.status == _NOT_FOUND and answer.body == nobody.body:
        return f"{one}: nobody's"
    if (answer.status == _UNAVAILABLE) == one.ready:
        return f"{one}: {answer.status}, {'an' if one.ready else 'no'} endpoint is ready"
    return ""


def _ready(lab: Lab) -> set[tuple[str, str]]:
    """The Services with an endpoint that is ready."""
    return {
        (item["metadata"]["namespace"], item["metadata"]["labels"]["kubernetes.io/service-name"])
        for item in lab.objects("endpointslices")
        if "kubernetes.io/service-name" in item["metadata"].get("labels", {})
        and any(one.get("conditions", {}).get("ready", True) for one in item["endpoints"] or ())
    }


def _has_expressions(item: Json) -> bool:
    given = item["metadata"].get("annotations", {})
    return any(_PREFIX + name in given for name in _EXPRESSIONS)


def _hosts(item: Json) -> set[str]:
    return {rule.get("host", "") for rule in item["spec"].get("rules", ())}


def _of(item: Json, ready: set[tuple[str, str]], spoilt: set[str]) -> Iterator[Asked]:
    """The requests for one Ingress."""
    namespace, name = item["metadata"]["namespace"], item["metadata"]["name"]
    given = item["metadata"].get("annotations", {})
    if given.get(f"{_PREFIX}canary") == "true" or f"{_PREFIX}backend-protocol" in given:
        return
    tls = {host for one in item["spec"].get("tls", ()) for host in one.get("hosts", ())}
    for rule in item["spec"].get("rules", ()):
        host = rule.get("host", "")
        if host in spoilt:
            continue
        asked = host.replace("*", "conformance") or "conformance.invalid"
        for path in rule.get("http", {}).get("paths", ()):
            service = path["backend"].get("service", {}).get("name", "")
            has = (namespace, service) in ready
            sni = asked if host in tls else None
            yield Asked(f"{namespace}/{name}", asked, path.get("path") or "/", sni, has)
