"""Ingresses and their classes as kubectl prints them: the cells of the API's tables, and rules.

Rules as ``describeIngressV1`` in ``k8s.io/kubectl/pkg/describe/describe.go`` prints them, but
without the endpoints of each backend.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from testbed.api import columns

Json = Mapping[str, Any]


def cell(plural: str, title: str, item: Json) -> str:
    """The cell of an object in the API's column of that title."""
    found = next(column for column in columns.of(plural) if column.name == title)
    return str(found.cell(item))


def hosts(item: Json) -> str:
    """The first hosts of the rules; ``*`` for none."""
    return cell("ingresses", "Hosts", item)


def address(item: Json) -> str:
    """Where it is reached from outside."""
    return cell("ingresses", "Address", item)


def ports(item: Json) -> str:
    """The ports of a controller: HTTP, and HTTPS with a certificate."""
    return cell("ingresses", "Ports", item)


def parameters(item: Json) -> str:
    """``Kind.group/name`` of a class's parameters."""
    return cell("ingressclasses", "Parameters", item)


def rules(spec: Json) -> Iterator[str]:
    """The lines of ``describe``: default backend, certificates, and a table of hosts and paths."""
    default = backend(spec["defaultBackend"]) if "defaultBackend" in spec else "<default>"
    yield f"Default backend:    {default}"
    if spec.get("tls"):
        yield "TLS:"
    for tls in spec.get("tls", ()):
        names = ",".join(tls.get("hosts", ()))
        secret = tls.get("secretName")
        yield f"  {secret} terminates {names}" if secret else f"  SNI routes {names}"
    yield "Rules:"
    rows = [("Host", "Path", "Backends"), ("----", "----", "--------")]
    found = [rule for rule in spec.get("rules", ()) if "http" in rule]
    for rule in found:
        rows.append((rule.get("host") or "*", "", ""))
        rows += [("", p.get("path", ""), backend(p["backend"])) for p in rule["http"]["paths"]]
    rows += [("*", "*", default)] * (not found)
    widths = [max(len(row[column]) for row in rows) + 2 for column in (0, 1)]
    for host, path, target in rows:
        yield f"  {host:<{widths[0]}}{path:<{widths[1]}}{target}".rstrip()


def backend(found: Json) -> str:
    """``web:80``, or what else it is."""
    if "resource" in found:
        one = found["resource"]
        group = one.get("apiGroup", "<none>")
        return f"APIGroup: {group}, Kind: {one['kind']}, Name: {one['name']}"
    port = found["service"]["port"]
    return f"{found['service']['name']}:{port.get('name') or port['number']}"
