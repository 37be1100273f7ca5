"""Objects in the forms that clients ask for: as they are, as rows of a table, as metadata only.

Tables are those of meta/v1 (KEP-555): the server knows the columns, kubectl prints them. A row
carries its object's metadata, all of the object or nothing, as ``includeObject`` says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from testbed.api import columns
from testbed.api.accept import METADATA, PLAIN, TABLE, Form
from testbed.api.failures import bad_request
from testbed.api.kinds import Served
from testbed.api.listing import Page
from testbed.api.store import Record, encode

_INCLUDES = ("", "Metadata", "Object", "None")


class Writer:
    """Writes objects of one kind in one form.

    Args:
        kind: The kind.
        form: The form.
        include: ``includeObject`` of the request.

    Raises:
        Failure: ``includeObject`` is none that there is (400).
    """

    def __init__(self, kind: Served, form: Form, include: str = "") -> None:
        if include not in _INCLUDES:
            raise bad_request(f'unrecognized includeObject value: "{include}"')
        self._kind, self._form, self._include = kind, form, include
        self._columns = columns.of(kind.plural)
        self._headed = False

    def one(self, record: Record) -> bytes:
        """A single object."""
        if self._form.kind == PLAIN:
            return record.text
        item = json.loads(record.text)
        if self._form.kind == METADATA:
            return encode(self._metadata(item))
        version = {"resourceVersion": item["metadata"]["resourceVersion"]}
        return encode(self._table(version, [self._row(item)]))

    def many(self, page: Page) -> Iterator[bytes]:
        """A list, in pieces: its beginning, its objects, its end."""
        meta = page.metadata()
        if self._form.kind == TABLE:
            head, items = self._table(meta, []), "rows"
        elif self._form.kind == METADATA:
            head, items = self._head("PartialObjectMetadataList", meta), "items"
        else:
            head = {"kind": self._kind.list_kind, "apiVersion": self._kind.group_version}
            head, items = head | {"metadata": meta}, "items"
        head.pop("rows", None)
        yield encode(head)[:-1] + f',"{items}":['.encode()
        for index, record in enumerate(page.records):
            yield b"," * bool(index) + self._item(record)
        yield b"]}\n"

    def _item(self, record: Record) -> bytes:
        if self._form.kind == PLAIN:
            return record.text
        item = json.loads(record.text)
        return encode(self._row(item) if self._form.kind == TABLE else self._metadata(item))

    def event(self, kind: str, record: Record) -> bytes:
        """A line of a watch; a table's columns are in the first one only."""
        return b'{"type":"%s","object":%s}\n' % (kind.encode(), self.one(record))

    def bookmark(self, item: dict[str, Any]) -> bytes:
        """A bookmark as a line of a watch."""
        if self._form.kind == TABLE:
            item = self._table(
                {"resourceVersion": item["metadata"]["resourceVersion"]},
                [{"cells": [], "object": self._metadata(item)}],
            )
        elif self._form.kind == METADATA:
            item = self._metadata(item)
        return encode({"type": "BOOKMARK", "object": item}) + b"\n"

    def _head(self, kind: str, metadata: dict[str, Any]) -> dict[str, Any]:
        version = f"meta.k8s.io/{self._form.version}"
        return {"kind": kind, "apiVersion": version, "metadata": metadata}

    def _metadata(self, item: dict[str, Any]) -> dict[str, Any]:
        return self._head("PartialObjectMetadata", item["metadata"])

    def _table(self, metadata: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
        shown = [] if self._headed else [column.definition() for column in self._columns]
        self._headed = True
        return self._head("Table", metadata) | {"columnDefinitions": shown, "rows": rows}

    def _row(self, item: dict[str, Any]) -> dict[str, Any]:
        row: dict[str, Any] = {"cells": [column.cell(item) for column in self._columns]}
        if self._include == "Object":
            row["object"] = item
        elif self._include != "None":
            row["object"] = self._metadata(item)
        return row
