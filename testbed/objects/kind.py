"""What it takes to serve a kind of object.

A served kind is one module with an attribute ``KIND``, listed in :mod:`testbed.objects.kinds`. It
says how its objects are completed, checked and turned into a typed value; reading, structure,
names and places are the same for all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from testbed.objects.meta import Metadata, NameRule
from testbed.objects.source import Findings, Manifest, Source


class Object(Protocol):
    """An object of any served kind."""

    @property
    def kind(self) -> str:
        """Such as ``Pod``."""

    @property
    def api_version(self) -> str:
        """Such as ``v1`` or ``apps/v1``."""

    @property
    def metadata(self) -> Metadata:
        """Name, namespace, labels, annotations."""

    @property
    def manifest(self) -> Manifest:
        """The object as Kubernetes JSON, defaults filled in, without status. Not to be changed."""

    @property
    def source(self) -> Source:
        """Where it was read."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A served kind.

    Attributes:
        api_version: ``v1``, ``apps/v1``.
        kind: ``Pod``.
        plural: ``pods``.
        short_names: ``po``.
        namespaced: Whether its objects are in namespaces.
        name_rule: The form of its names.
        default: Fills in a manifest's defaults, in place, as the API server does.
        validate: Adds what is wrong with a manifest, after defaulting and beyond its structure
            and metadata.
        decode: Makes the typed object of a valid manifest.
    """

    api_version: str
    kind: str
    plural: str
    short_names: tuple[str, ...]
    namespaced: bool
    name_rule: NameRule
    default: Callable[[Manifest], None]
    validate: Callable[[Manifest, Findings], None]
    decode: Callable[[Manifest, Source], Object]
