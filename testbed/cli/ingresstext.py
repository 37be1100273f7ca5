"""Cells of Ingresses and their classes, as kubectl prints them: those of the API's tables."""

from __future__ import annotations

from collections.abc import Mapping
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
