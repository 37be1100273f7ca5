"""Watches: which changes a client is told, and how. Pure.

An object that begins or ceases to match the selectors is told as added or deleted
(``pkg/storage/cacher/cache_watcher.go``, ``convertToWatchEvent``).
"""

from __future__ import annotations

from testbed.api.query import Options, Wanted
from testbed.api.store import Change, Collection, Record

INITIAL_END = "k8s.io/initial-events-end"
"""The annotation of the bookmark after the initial events (KEP-3157)."""

Told = tuple[str, Record]
"""Type of event and object."""


def told(change: Change, wanted: Wanted) -> Told | None:
    """A change as the client sees it; None if it does not concern it."""
    was = change.old is not None and wanted(change.old)
    if change.new is not None and wanted(change.new):
        return ("MODIFIED" if was else "ADDED"), change.new
    return ("DELETED", change.end) if was and change.end is not None else None


def begins_with_state(asked: Options) -> bool:
    """Whether a watch begins with all objects as they are.

    With ``sendInitialEvents`` the client says so; without, that is what a version of 0 or none
    means (*Get State and Start at Any/Most Recent*).
    """
    return asked.initial if asked.initial is not None else not asked.version


def start(collection: Collection, current: int, asked: Options) -> tuple[int, list[Told]]:
    """Where a watch begins, and the objects that it begins with.

    Raises:
        Failure: The version is too old (410).
    """
    if begins_with_state(asked):
        records = (r for r in collection.sorted() if asked.wanted(r))
        return current, [("ADDED", record) for record in records]
    version = asked.version or current
    collection.after(version)
    return version, []


def bookmark(
    collection: Collection, version: int, *, initial_end: bool = False
) -> dict[str, object]:
    """An object that tells a version and nothing else."""
    metadata: dict[str, object] = {"resourceVersion": str(version), "creationTimestamp": None}
    if initial_end:
        metadata["annotations"] = {INITIAL_END: "true"}
    kind = collection.kind
    return {"kind": kind.kind, "apiVersion": kind.group_version, "metadata": metadata}
