"""Secrets (v1): here, the certificates of Ingresses.

The rules are in :mod:`testbed.objects.secretcheck`. ``stringData`` goes into ``data``, as in
``pkg/apis/core/v1/conversion.go``; the default type is that of ``SetDefaults_Secret``.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from testbed.objects import names
from testbed.objects.kind import Kind
from testbed.objects.meta import Metadata
from testbed.objects.secretcheck import decoded, validate
from testbed.objects.source import Manifest, Source

TLS = "kubernetes.io/tls"
"""The type of a certificate with its private key."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A Secret. Its values are in no message and not in its ``repr``.

    Attributes:
        metadata: Name, namespace, labels, annotations.
        type: Such as :data:`TLS`.
        data: Key → value.
        manifest: The object as Kubernetes JSON.
        source: Where it was read.
    """

    kind: ClassVar[str] = "Secret"
    api_version: ClassVar[str] = "v1"

    metadata: Metadata
    type: str
    data: Mapping[str, bytes] = field(repr=False)
    manifest: Manifest = field(repr=False)
    source: Source = field(compare=False)


def decode(manifest: Manifest, source: Source) -> Secret:
    """The Secret of a valid manifest whose defaults are filled in."""
    data = {key: decoded(text) or b"" for key, text in manifest["data"].items()}
    return Secret(Metadata.decode(manifest), manifest["type"], data, manifest, source)


def _default(manifest: Manifest) -> None:
    plain = manifest.pop("stringData", {})
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}
    manifest["data"] = {**manifest.get("data", {}), **encoded}
    manifest["type"] = manifest.get("type") or "Opaque"


KIND = Kind("v1", "Secret", "secrets", (), True, names.dns_subdomain, _default, validate, decode)
