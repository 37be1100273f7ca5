"""The kinds that the API serves: those that can be applied, and those that come with a lab.

A kind of :data:`testbed.objects.SERVED` appears here by itself. What can be added is which of its
fields can be selected (:data:`_FIELDS`) and its columns (:mod:`testbed.api.columns`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

_COMMON = ("metadata.name", "metadata.namespace")
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "pods": (
        *_COMMON,
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
    ),
    "nodes": ("metadata.name", "spec.unschedulable"),
    "namespaces": ("metadata.name", "status.phase"),
    "services": (*_COMMON, "spec.clusterIP", "spec.type"),
}
"""Plural → fields that can be selected: ``pkg/apis/core/v1/conversion.go``."""

_COME: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("v1", "Node", "nodes", ("no",)),
    ("networking.k8s.io/v1", "ServiceCIDR", "servicecidrs", ()),
)
"""Kinds that come with a lab: apiVersion, kind, plural, short names; none is in a namespace."""

_ALL = frozenset({"pods", "services", "deployments"})
"""What ``kubectl get all`` means."""


@dataclass(frozen=True, slots=True)
class Served:
    """A kind of object in the API.

    Attributes:
        group: Of the API; empty for the core.
        version: Of the group.
        kind: ``Pod``.
        plural: ``pods``; also what the lab calls it.
        short_names: ``po``.
        namespaced: Whether its objects are in namespaces.
        fields: What field selectors can name.
    """

    group: str
    version: str
    kind: str
    plural: str
    short_names: tuple[str, ...]
    namespaced: bool
    fields: tuple[str, ...]

    @property
    def group_version(self) -> str:
        """``v1``, ``apps/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        """``pod``."""
        return self.kind.lower()

    @property
    def list_kind(self) -> str:
        """``PodList``."""
        return f"{self.kind}List"

    @property
    def categories(self) -> tuple[str, ...]:
        """The groups of kinds that it belongs to."""
        return ("all",) if self.plural in _ALL else ()

    @property
    def has_own_fields(self) -> bool:
        """Whether more can be selected than every kind's fields."""
        return self.plural in _FIELDS


@cache
def served() -> tuple[Served, ...]:
    """All kinds, the core's first."""
    from testbed.objects import SERVED

    found = [_of(*kind, False) for kind in _COME]
    found += [
        _of(kind.api_version, kind.kind, kind.plural, kind.short_names, kind.namespaced)
        for kind in SERVED.values()
    ]
    return tuple(sorted(found, key=lambda kind: (kind.group, kind.version, kind.plural)))


def _of(
    api_version: str, kind: str, plural: str, short_names: tuple[str, ...], namespaced: bool
) -> Served:
    group, _, version = api_version.rpartition("/")
    fields = _FIELDS.get(plural, _COMMON)
    return Served(group, version, kind, plural, short_names, namespaced, fields)


@cache
def by_path() -> dict[tuple[str, str, str], Served]:
    """(group, version, plural) → the kind."""
    return {(kind.group, kind.version, kind.plural): kind for kind in served()}


@cache
def by_plural() -> dict[str, Served]:
    """Plural → the kind."""
    return {kind.plural: kind for kind in served()}
