"""What is wrong with a Secret, beyond its structure and metadata.

The rules and words of ``ValidateSecret`` in ``pkg/apis/core/validation/validation.go``, Kubernetes
1.34. Whether a certificate is one is not the API server's business, but that of whoever uses it
(:mod:`testbed.ingress.tls`). No message has a value of a Secret in it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping

from testbed.objects.source import Findings, Manifest, Path

_BYTES = 1 << 20
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_KEY_BYTES = 253
_KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' "
    "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name')"
)
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_BASIC = ("username", "password")
_ACCOUNT = "kubernetes.io/service-account.name"


def decoded(text: str) -> bytes | None:
    """The bytes of base64 as Go reads it (line ends do not count); None if it is none."""
    try:
        return base64.b64decode(re.sub("[\r\n]", "", text), validate=True)
    except (binascii.Error, ValueError):
        return None


def validate(manifest: Manifest, findings: Findings) -> None:
    """Adds what is wrong with a Secret beyond its structure and metadata."""
    data, size = manifest["data"], 0
    for key, text in data.items():
        findings.invalid(("data", key), key, _key_reasons(key))
        value = decoded(text)
        if value is None:
            findings.invalid(("data", key), "<secret contents redacted>", "must be base64")
        size += len(value or b"")
    if size > _BYTES:
        findings.add(("data",), f"Too long: may not be more than {_BYTES} bytes")
    _validate_type(manifest, findings)


def _validate_type(manifest: Manifest, findings: Findings) -> None:
    data, kind = manifest["data"], manifest["type"]
    for key in _NEEDS.get(kind, ()):
        if key not in data or (kind.endswith("ssh-auth") and not data[key]):
            findings.required(("data", key))
        elif kind.startswith("kubernetes.io/docker"):
            _validate_json(decoded(data[key]), ("data", key), findings)
    if kind == "kubernetes.io/basic-auth" and not data.keys() & set(_BASIC):
        for key in _BASIC:
            findings.required(("data", key))
    annotations = manifest["metadata"].get("annotations", {})
    if kind == "kubernetes.io/service-account-token" and not annotations.get(_ACCOUNT):
        findings.required(("metadata", "annotations", _ACCOUNT))


def _validate_json(value: bytes | None, path: Path, findings: Findings) -> None:
    try:
        good = isinstance(json.loads(value or b""), dict | None)  # null is none to Go
    except ValueError:
        good = False
    if not good:
        findings.invalid(path, "<secret contents redacted>", "must be a JSON object")


def _key_reasons(key: str) -> list[str]:
    reasons = []
    if len(key) > _KEY_BYTES:
        reasons.append(f"must be no more than {_KEY_BYTES} characters")
    if not _KEY.fullmatch(key):
        reasons.append(_KEY_RULE)
    if key in {".", ".."}:
        reasons.append(f"must not be '{key}'")
    elif key.startswith(".."):
        reasons.append("must not start with '..'")
    return reasons
