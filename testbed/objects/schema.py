"""The structure of objects, checked by Kubernetes' own published schema.

The package kubernetes-validate carries the OpenAPI schema of each Kubernetes release as JSON
schema, in a strict edition in which an unknown field is an error, as ``kubectl apply`` has it by
default. The newest release that it carries is used. The schema of all kinds is one file, read on
first use (20 ms); a validator is made once per kind. What the schema cannot say (the form of
names, ranges) is checked afterwards, by each kind's own module.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from testbed.objects import customschema
from testbed.objects.source import Findings, Path, shown

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, FormatChecker, ValidationError

_ENOUGH = 100
"""Errors of one object that are looked at; a list of a million wrong items has no more to say."""

_INT_BITS = {"int32": 32, "int64": 64}
_ARTICLE = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}


@dataclass(frozen=True, slots=True)
class Known:
    """The kinds of a Kubernetes release.

    Attributes:
        uri: Where the definitions refer to each other.
        schema: The file with all definitions.
        objects: (apiVersion, kind) → name of its definition, for kinds that can be applied.
        lists: (apiVersion, kind of list) → kind of its items, such as PodList → Pod.
    """

    uri: str
    schema: dict[str, Any]
    objects: dict[tuple[str, str], str]
    lists: dict[tuple[str, str], str]


@cache
def known() -> Known:
    """The kinds of the newest Kubernetes release that kubernetes-validate carries."""
    schema = json.loads((_folder() / "_definitions.json").read_text(encoding="utf-8"))
    schema["$defs"] |= customschema.DEFINITIONS
    objects: dict[tuple[str, str], str] = {}
    lists: dict[tuple[str, str], str] = {("v1", "List"): ""}
    for name, definition in schema["$defs"].items():
        for gvk in definition.get("x-kubernetes-group-version-kind", ()):
            version = f"{gvk['group']}/{gvk['version']}".lstrip("/")
            metadata = definition["properties"].get("metadata", {}).get("$ref", "")
            if metadata.endswith(".ObjectMeta"):
                objects[version, gvk["kind"]] = name
            elif metadata.endswith(".ListMeta") and gvk["kind"].endswith("List"):
                lists[version, gvk["kind"]] = gvk["kind"].removesuffix("List")
    return Known(schema["$id"], schema, objects, lists)


def nearest(api_version: str, kind: str) -> tuple[str, str] | None:
    """The known kind that somebody may have meant: by its name, else by both together."""
    names = known().objects
    same = [name for name in names if name[1] == kind]
    folded = [name for name in names if name[1].lower() == kind.lower()]
    if same or folded:
        return (same or folded)[0]
    joined = {f"{name[0]} {name[1]}": name for name in names}
    near = difflib.get_close_matches(f"{api_version} {kind}", joined, n=1, cutoff=0.5)
    return joined[near[0]] if near else None


def check(api_version: str, kind: str, manifest: dict[str, Any], findings: Findings) -> None:
    """Adds what the schema finds wrong with an object.

    Args:
        api_version: Of a kind in ``known().objects``.
        kind: The same.
        manifest: The object.
        findings: Takes what is wrong, at the fields' paths.
    """
    for error in islice(_validator(api_version, kind).iter_errors(manifest), _ENOUGH):
        for path, message in _explain(error):
            findings.add(path, message)


@cache
def _validator(api_version: str, kind: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    reference = {"$ref": f"{known().uri}#/$defs/{known().objects[api_version, kind]}"}
    return Draft202012Validator(reference, registry=_registry(), format_checker=_formats())


@cache
def _registry() -> Any:
    from referencing import Registry, Resource

    return Registry().with_resource(known().uri, Resource.from_contents(known().schema))


@cache
def _formats() -> FormatChecker:
    """The integer sizes of Go's types; the other formats are left to the kinds that are served."""
    from jsonschema import FormatChecker

    checker = FormatChecker(formats=())
    for name, bits in _INT_BITS.items():
        limit = 1 << (bits - 1)
        checker.checks(name)(lambda v, limit=limit: not isinstance(v, int) or -limit <= v < limit)
    return checker


def _folder() -> FilePath:
    """The folder of the newest strict schema; found without importing the package."""
    spec = importlib.util.find_spec("kubernetes_validate")
    assert spec is not None  # noqa: S101 - a dependency of this package
    assert spec.submodule_search_locations is not None  # noqa: S101
    folder = FilePath(spec.submodule_search_locations[0]) / "kubernetes-json-schema"
    return max(
        folder.glob("v*-local-strict"),
        key=lambda path: [int(number) for number in re.findall(r"\d+", path.name)],
    )


def _explain(error: ValidationError) -> Iterator[tuple[Path, str]]:
    """One error of jsonschema as fields and messages in Kubernetes' words."""
    path: Path = tuple(error.absolute_path)
    value: Any = error.instance
    rule: Any = error.validator_value
    schema: Any = error.schema
    if error.validator == "additionalProperties" and rule is False:
        fields = schema.get("properties", {})
        for name in (name for name in value if name not in fields):
            yield (*path, name), _unknown_field(name, fields)
    elif error.validator == "required":
        for name in rule:
            if name not in value:
                yield (*path, name), "Required value"
    elif error.validator == "enum":
        names = ", ".join(json.dumps(name) for name in rule)
        yield path, f"Unsupported value: {shown(value)}: supported values: {names}"
    elif error.validator == "format":
        yield path, f"Invalid value: {value}: must be a {_INT_BITS[str(rule)]}-bit integer"
    elif error.validator == "oneOf":
        types = [t for one in rule for t in one["type"]]
        yield path, _wrong_type(value, types)
    else:
        yield path, _wrong_type(value, [rule] if isinstance(rule, str) else rule)


def _unknown_field(name: str, fields: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, fields, n=1, cutoff=0.6)
    return f"unknown field {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _wrong_type(value: object, types: Iterable[str]) -> str:
    wanted = list(dict.fromkeys(_ARTICLE[name] for name in types if name != "null"))
    hint = ""
    if wanted == ["a string"] and isinstance(value, bool):
        hint = "; YAML reads such a word as a boolean: write it in quotes"
    elif wanted == ["a string"] and isinstance(value, int | float):
        hint = "; write it in quotes"
    return f"Invalid value: {shown(value)}: must be {' or '.join(wanted)}{hint}"
