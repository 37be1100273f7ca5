"""What a path of the API names.

``/api/v1/…`` is the core group, ``/apis/GROUP/VERSION/…`` are the others; then
``namespaces/NAMESPACE/`` for what is in one, the plural, and a name.
"""

from __future__ import annotations

from dataclasses import dataclass

from testbed.api.failures import no_resource
from testbed.api.kinds import Served, by_path


@dataclass(frozen=True, slots=True)
class Target:
    """Objects that a path names.

    Attributes:
        kind: Their kind.
        namespace: The one they are in; None for all namespaces, or kinds without.
        name: Of a single one; None for all.
    """

    kind: Served
    namespace: str | None = None
    name: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Of a single object in a store."""
        return self.namespace or "", self.name or ""


def target(path: str) -> Target:
    """The objects that a path names.

    Args:
        path: Decoded, absolute.

    Raises:
        Failure: It names none (404).
    """
    parts = path.removesuffix("/").split("/")[1:]
    if parts[:1] == ["api"]:
        group, parts = "", parts[1:]
    elif parts[:1] == ["apis"] and len(parts) > 1:
        group, parts = parts[1], parts[2:]
    else:
        raise no_resource()
    if len(parts) < 2 or not all(parts):
        raise no_resource()
    return _target(group, parts[0], parts[1:])


def _target(group: str, version: str, rest: list[str]) -> Target:
    namespace = None
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] != "status":
        namespace, rest = rest[1], rest[2:]
    kind = by_path().get((group, version, rest[0]))
    if kind is None or (namespace is not None and not kind.namespaced):
        raise no_resource()
    if len(rest) == 3 and rest[2] == "status":  # the same object, when it is read
        rest = rest[:2]
    if len(rest) > 2 or (len(rest) == 2 and kind.namespaced and namespace is None):
        raise no_resource()
    return Target(kind, namespace, rest[1] if len(rest) == 2 else None)
