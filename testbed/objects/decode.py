"""From JSON values to objects: lists opened, structure checked, defaults filled in, rules applied.

The order is the API server's: decoding (an unknown kind or field ends it), defaulting, validation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from testbed.errors import InputError, unknown
from testbed.objects import meta, schema
from testbed.objects.kind import Kind, Object
from testbed.objects.kinds import SERVED
from testbed.objects.source import Findings, Manifest, Origin, Path, Source, shown

_STRING_MAPS = {"annotations", "labels", "matchLabels", "nodeSelector"}
"""Fields in which null is an empty string; anywhere else it is an absent field."""


def from_manifest(manifest: Manifest, name: str = "manifest") -> Object:
    """The object of a manifest that a program made.

    Args:
        manifest: A Kubernetes object as JSON values; it is not changed.
        name: What errors call its place.

    Raises:
        InputError: It is not valid, or its kind is not served.
    """
    return _object(manifest, Origin(Source(name), manifest), "", "")


def decode(origin: Origin) -> Iterator[Object]:
    """The objects of one document: one, or those of a list.

    Raises:
        InputError: One is not valid, or its kind is not served.
    """
    yield from _decode(origin.root, origin, "", "")


def _decode(value: Any, origin: Origin, api_version: str, kind: str) -> Iterator[Object]:
    """The objects of a value; a typed list's items may leave their kind out."""
    if isinstance(value, dict) and _is_list(value):
        version, item_kind = value["apiVersion"], schema.known().lists[_names(value)]
        for index, item in enumerate(_items(value, origin)):
            yield from _decode(item, origin.at("items", index), version, item_kind)
    else:
        yield _object(value, origin, api_version, kind)


def _is_list(value: Manifest) -> bool:
    names = _names(value)
    return names not in SERVED and names in schema.known().lists


def _names(value: Manifest) -> tuple[str, str]:
    return str(value.get("apiVersion", "")), str(value.get("kind", ""))


def _items(value: Manifest, origin: Origin) -> list[Any]:
    findings = Findings(origin)
    for name in value:
        if name not in {"apiVersion", "kind", "metadata", "items"}:
            findings.add((name,), f"unknown field {name!r}")
    items = value.get("items") or []
    if not isinstance(items, list):
        findings.invalid(("items",), items, "must be a list")
    findings.check()
    assert isinstance(items, list)  # noqa: S101
    return items


def _object(value: Any, origin: Origin, api_version: str, kind: str) -> Object:
    findings = Findings(origin)
    if not isinstance(value, dict):
        raise InputError(
            f"Invalid value: {shown(value)}: an object must be a mapping", where=origin.where()
        )
    manifest = _pruned({"apiVersion": api_version, "kind": kind} | value, (), findings)
    findings.check()
    names = _identify(manifest, origin)
    schema.check(*names, manifest, findings)
    findings.check()
    if names not in SERVED:
        raise InputError(
            f"kind {names[1]} is not served by this lab; served: "
            + ", ".join(sorted(served for _, served in SERVED)),
            where=origin.where(("kind",)),
        )
    return _complete(manifest, SERVED[names], findings)


def _complete(manifest: Manifest, kind: Kind, findings: Findings) -> Object:
    """The object of a manifest whose structure is good."""
    manifest.pop("status", None)
    metadata = manifest.setdefault("metadata", {})
    for name in meta.SERVER_FIELDS:
        metadata.pop(name, None)
    meta.validate(manifest, kind.name_rule, kind.namespaced, findings)
    if kind.namespaced:
        metadata["namespace"] = metadata.get("namespace") or "default"
    else:
        metadata.pop("namespace", None)
    metadata.setdefault("name", "")
    kind.default(manifest)
    kind.validate(manifest, findings)
    findings.check()
    return kind.decode(manifest, findings.origin.here())


def _identify(manifest: Manifest, origin: Origin) -> tuple[str, str]:
    """The apiVersion and kind of an object, which Kubernetes knows."""
    findings = Findings(origin)
    for field in ("apiVersion", "kind"):
        value = manifest.get(field)
        if not value:
            findings.required((field,))
        elif not isinstance(value, str):
            findings.invalid((field,), value, "must be a string")
    findings.check()
    api_version, kind = names = _names(manifest)
    if names not in schema.known().objects:
        near = schema.nearest(api_version, kind)
        candidates = {*SERVED, *([near] if near else [])}
        known = [" ".join(pair) for pair in candidates]
        raise unknown("kind", f"{api_version} {kind}", known, origin.where(("kind",)))
    return names


def _pruned(value: Any, path: Path, findings: Findings) -> Any:
    """A copy without null fields, which mean absent in Kubernetes."""
    if isinstance(value, dict):
        if path and path[-1] in _STRING_MAPS:
            value = {key: "" if item is None else item for key, item in value.items()}
        return {
            key: _pruned(item, (*path, key), findings)
            for key, item in value.items()
            if item is not None
        }
    if isinstance(value, list):
        for index, item in enumerate(value):
            if item is None:
                findings.invalid((*path, index), None, "an item of a list may not be null")
        return [_pruned(item, (*path, index), findings) for index, item in enumerate(value)]
    return value
