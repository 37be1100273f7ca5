r"""Field selectors: ``metadata.name=web,status.phase!=Running``.

Syntax as in apimachinery ``pkg/fields/selector.go``: terms joined by commas, ``=``, ``==`` and
``!=``, and in values ``\,``, ``\=`` and ``\\`` for the characters themselves. Which fields can
be selected depends on the kind (:mod:`testbed.api.kinds`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.api.failures import bad_request

_TERMS = re.compile(r"(?:[^\\,]|\\.)+", re.DOTALL)
_OPERATOR = re.compile(r"!=|==|=")
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """A selector; all of its terms must hold.

    Attributes:
        terms: Field, whether it must be equal (or must not), and value.
    """

    terms: tuple[tuple[str, bool, str], ...] = ()

    def matches(self, values: Mapping[str, str]) -> bool:
        """Whether an object with these values of its fields is selected."""
        return all((values.get(field, "") == value) is equal for field, equal, value in self.terms)


def parse(text: str, known: Sequence[str], named: bool) -> FieldSelector:
    """A selector of a kind's fields.

    Args:
        text: As the client wrote it.
        known: The fields that can be selected.
        named: Whether the kind has selectable fields of its own; errors differ.

    Raises:
        Failure: It is none, or has a field that cannot be selected (400).
    """
    return FieldSelector(tuple(_term(term, known, named) for term in _split(text)))


def _split(text: str) -> Iterator[str]:
    yield from (term for term in _TERMS.findall(text) if term)


def _term(term: str, known: Sequence[str], named: bool) -> tuple[str, bool, str]:
    operator = _OPERATOR.search(term)
    if operator is None:
        raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
    field = term[: operator.start()]
    if field not in known:
        only = '"metadata.name", "metadata.namespace"'
        message = f'"{field}" is not a known field selector: only {only}'
        raise bad_request(f"field label not supported: {field}" if named else message)
    return field, operator[0] != "!=", _value(term[operator.end() :])


def _value(text: str) -> str:
    for escaped in _ESCAPE.finditer(text):
        if escaped[1] not in {"\\", ",", "="} or not escaped[1]:
            raise bad_request(f"invalid field selector: invalid escape sequence: \\{escaped[1]}")
    plain = _ESCAPE.sub("", text)
    if "=" in plain:
        raise bad_request("invalid field selector: unescaped character in value: '='")
    return _ESCAPE.sub(lambda escaped: escaped[1], text)


def values(item: Json, fields: Sequence[str]) -> dict[str, str]:
    """The values of an object's selectable fields, as text; empty where there is none."""
    return {field: _text(item, field) for field in fields}


def _text(item: Json, field: str) -> str:
    found: Any = item
    for key in field.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    if field in {"spec.hostNetwork", "spec.unschedulable"}:
        return "true" if found else "false"
    if field == "status.podIPs":
        return ",".join(entry["ip"] for entry in found or ())
    return "" if found is None else str(found)
