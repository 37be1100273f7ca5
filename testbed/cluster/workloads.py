"""Deployments to pods, with names as Kubernetes makes them: ``web-7c5ddbdf54-x2x4q``.

The middle part is a hash of the pod template, the last comes from the pod's number, both in
Kubernetes' alphabet without vowels (apimachinery ``util/rand``). The real suffix is random; ours
is the same in every lab, so that a plan can be compared with another, and another one for each of
a Deployment's first 14 million pods.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from testbed.objects import Deployment, Pod

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
HASH_LABEL = "pod-template-hash"
_STRIDE = 8868083  # no multiple of 3: successive pods' suffixes differ, and only repeat at the end


def hashed(text: str) -> int:
    """A number that follows from a text and looks like chance."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")


def word(number: int, length: int) -> str:
    """A number as letters of Kubernetes' alphabet."""
    letters = []
    for _ in range(length):
        number, letter = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[letter])
    return "".join(letters)


def template_hash(deployment: Deployment) -> str:
    """Ten characters that change when the pod template does."""
    return word(hashed(json.dumps(deployment.manifest["spec"]["template"], sort_keys=True)), 10)


def _pod_name(deployment: Deployment, middle: str, ordinal: int) -> str:
    name = deployment.metadata.name
    first = hashed(f"{deployment.metadata.namespace}/{name}")
    return f"{name}-{middle}-{word(first + ordinal * _STRIDE, 5)}"


def make_pods(deployment: Deployment, ordinals: Sequence[int]) -> list[Pod]:
    """The Deployment's pods of those numbers, from its template (validated with it)."""
    middle = template_hash(deployment)
    labels = {HASH_LABEL: middle}
    return [deployment.pod(_pod_name(deployment, middle, n), labels) for n in ordinals]
