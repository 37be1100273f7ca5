"""Content negotiation: in which form a client wants its answer.

A client lists what it takes, best first, in ``Accept``: plain JSON; a table as ``kubectl get``
prints it (KEP-555, ``as=Table``); metadata only (``as=PartialObjectMetadata``); discovery of all
groups at once (KEP-3352, ``as=APIGroupDiscoveryList``). Protobuf and the like are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from testbed.api.failures import not_acceptable

PLAIN, TABLE, METADATA, DISCOVERY = "plain", "table", "metadata", "discovery"
_JSON = {"application/json", "application/*", "*/*"}
_META = "meta.k8s.io"
_DISCOVERY = "apidiscovery.k8s.io"


@dataclass(frozen=True, slots=True)
class Form:
    """The form of an answer.

    Attributes:
        kind: :data:`PLAIN`, :data:`TABLE`, :data:`METADATA` or :data:`DISCOVERY`.
        version: Of the form's API group: ``v1``, ``v1beta1``, ``v2`` …
    """

    kind: str = PLAIN
    version: str = "v1"

    @property
    def content_type(self) -> str:
        """Of the answer; clients know from it that they were given all groups at once."""
        parameters = f";g={_DISCOVERY};v={self.version};as=APIGroupDiscoveryList"
        return "application/json" + (parameters if self.kind == DISCOVERY else "")


def form(header: str, discovery: bool = False) -> Form:
    """The first form in an ``Accept`` header that there is.

    Args:
        header: The header; empty takes everything.
        discovery: Whether the path is one of ``/api`` and ``/apis``; tables are not there, nor
            discovery elsewhere.

    Raises:
        Failure: There is none (406).
    """
    for media, parameters in _entries(header or "*/*"):
        wanted = parameters.get("as")
        found = Form() if wanted is None else _form(wanted, parameters, discovery)
        if media in _JSON and found is not None:
            return found
    raise not_acceptable()


def _form(wanted: str, parameters: dict[str, str], discovery: bool) -> Form | None:
    group, version = parameters.get("g"), parameters.get("v", "")
    if discovery:
        known = (wanted, group) == ("APIGroupDiscoveryList", _DISCOVERY)
        return Form(DISCOVERY, version) if known and version in {"v2", "v2beta1"} else None
    if group != _META or version not in {"v1", "v1beta1"}:
        return None
    if wanted == "Table":
        return Form(TABLE, version)
    is_metadata = wanted in {"PartialObjectMetadata", "PartialObjectMetadataList"}
    return Form(METADATA, version) if is_metadata else None


def _entries(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Media types with their parameters, the wanted ones first (``q``, then the order)."""
    entries = [_entry(text) for text in header.split(",") if text.strip()]
    yield from sorted(entries, key=lambda entry: -_quality(entry[1]))


def _entry(text: str) -> tuple[str, dict[str, str]]:
    media, *parameters = (part.strip() for part in text.split(";"))
    pairs = (part.partition("=") for part in parameters)
    return media.lower(), {key.strip(): value.strip().strip('"') for key, _, value in pairs}


def _quality(parameters: dict[str, str]) -> float:
    try:
        return float(parameters.get("q", "1"))
    except ValueError:
        return 1.0
