"""Label selectors: in objects (``matchLabels``, ``matchExpressions``) and on the command line.

The semantics are those of apimachinery ``pkg/labels/selector.go``. One surprises: ``NotIn`` (and
``!=``) also matches where the label is absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from testbed.errors import InputError, Where
from testbed.objects import names
from testbed.objects.meta import validate_labels
from testbed.objects.source import Findings, Path

Operator = Literal["In", "NotIn", "Exists", "DoesNotExist"]

_TERM = re.compile(
    r"""\s*(?:
        !\s*(?P<absent>[^\s!=<>(),]+)
      | (?P<key>[^\s!=<>(),]+)(?:
            \s*(?P<equal>==|=|!=)\s*(?P<value>[^\s!=<>(),]*)
          | \s+(?P<set>in|notin)\s*\((?P<values>[^()]*)\)
        )?
    )\s*""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term of a selector.

    Attributes:
        key: The label's key.
        operator: ``In``, ``NotIn``, ``Exists`` or ``DoesNotExist``.
        values: For ``In`` and ``NotIn``.
    """

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy it."""
        if self.operator == "In":
            return self.key in labels and labels[self.key] in self.values
        if self.operator == "NotIn":
            return self.key not in labels or labels[self.key] not in self.values
        return (self.key in labels) is (self.operator == "Exists")


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """A selector; all of its terms must hold, and one without terms matches everything.

    Attributes:
        match_labels: Keys and the values that they must have.
        match_expressions: Further terms.
    """

    match_labels: Mapping[str, str]
    match_expressions: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether it selects an object with these labels."""
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )

    @classmethod
    def decode(cls, manifest: Mapping[str, Any]) -> LabelSelector:
        """The selector in a valid object."""
        return cls(
            manifest.get("matchLabels", {}),
            tuple(
                Requirement(term["key"], term["operator"], tuple(term.get("values", ())))
                for term in manifest.get("matchExpressions", ())
            ),
        )


def validate_selector(manifest: Mapping[str, Any], path: Path, findings: Findings) -> bool:
    """Adds what is wrong with a selector in an object; whether its terms can be applied."""
    validate_labels(manifest.get("matchLabels", {}), (*path, "matchLabels"), findings)
    for index, term in enumerate(manifest.get("matchExpressions", ())):
        _validate_term(term, (*path, "matchExpressions", index), findings)
    operators = {term["operator"] for term in manifest.get("matchExpressions", ())}
    return operators <= set(get_args(Operator))


def _validate_term(term: Mapping[str, Any], path: Path, findings: Findings) -> None:
    operator, values = term["operator"], term.get("values", [])
    if operator in {"In", "NotIn"}:
        if not values:
            rule = "must be specified when `operator` is 'In' or 'NotIn'"
            findings.required((*path, "values"), rule)
    elif operator in {"Exists", "DoesNotExist"}:
        if values:
            rule = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            findings.forbidden((*path, "values"), rule)
    else:
        findings.invalid((*path, "operator"), operator, "not a valid selector operator")
    findings.invalid((*path, "key"), term["key"], names.label_key(term["key"]))
    for index, value in enumerate(values):
        findings.invalid((*path, "values", index), value, names.label_value(value))


def parse_selector(text: str, option: str = "-l") -> LabelSelector:
    """A selector as kubectl's ``-l`` has it.

    Args:
        text: Terms joined by commas: ``key=value``, ``key==value``, ``key!=value``,
            ``key in (a, b)``, ``key notin (a, b)``, ``key``, ``!key``. Empty matches everything.
        option: What errors call the place.

    Raises:
        InputError: It is not such a text, or a key or a value is none that Kubernetes allows.
    """
    terms = []
    position = 0
    while text.strip():
        match = _TERM.match(text, position)
        if match is None or text[match.end() : match.end() + 1] not in {"", ","}:
            known = "key=value, key!=value, key in (a,b), key notin (a,b), key, !key"
            raise InputError(
                f"cannot read the selector {text!r} at character {position + 1}",
                where=Where(option),
                hint=f"A selector has terms of these forms, joined by commas: {known}.",
            )
        terms.append(_term(match, option))
        position = match.end() + 1
        if match.end() == len(text):
            break
    return LabelSelector({}, tuple(terms))


def _term(match: re.Match[str], option: str) -> Requirement:
    """The requirement of one matched term, its key and values checked."""
    key = match["absent"] or match["key"]
    operator: Operator = "Exists"
    values: tuple[str, ...] = ()
    if match["absent"]:
        operator = "DoesNotExist"
    elif match["equal"]:
        operator, values = ("NotIn" if match["equal"] == "!=" else "In"), (match["value"],)
    elif match["set"]:
        operator = "In" if match["set"] == "in" else "NotIn"
        values = tuple(value.strip() for value in match["values"].split(","))
    reasons = [*names.label_key(key), *(r for value in values for r in names.label_value(value))]
    if reasons:
        raise InputError(f"{match[0].strip()!r}: {reasons[0]}", where=Where(option))
    return Requirement(key, operator, values)
