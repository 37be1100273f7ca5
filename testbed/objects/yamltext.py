"""YAML text to JSON values, with the line of every field.

The text is read as a stream of events by libyaml (PyYAML's C parser; its Python one where that is
absent), and the values are built here, because Kubernetes' reading differs from PyYAML's (see
:mod:`testbed.objects.scalars`) and because every error must name a line. What a parser of trusted
files lets pass is refused: a key that is there twice, nesting deeper than 100, and aliases that
expand to more than 100,000 values (the "billion laughs"). An alias is expanded into a copy, so the
result is always a tree. The merge key ``<<`` works as in YAML 1.1: a mapping's own keys win.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
)

from testbed.errors import InputError, Where
from testbed.objects import scalars

MAX_DEPTH = 100
"""Levels of nesting that a document may have; real objects stay below 20."""

MAX_ALIASED = 100_000
"""Values that the aliases of one document may expand to."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_COLLECTION_TAGS = {None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document.

    Attributes:
        value: JSON values: dict, list, str, int, float, bool, None.
        line: Line of its first value, from 1.
        lines: ``id`` of each dict or list in ``value`` → key or index → line.
    """

    value: Any
    line: int
    lines: dict[int, dict[Any, int]] = field(default_factory=dict)


def documents(text: str, file: str) -> list[Document]:
    """The documents of a text, the empty ones as None.

    Args:
        text: YAML, or JSON, which is YAML too.
        file: What errors call it.

    Raises:
        InputError: It is not YAML, or one of the refusals in the module's description.
    """
    try:
        return list(_documents(_LOADER(text), file))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, text.index(chr(error.character))) + 1
        raise InputError(
            f"invalid YAML: control character U+{error.character:04X}",
            where=Where(file, line=line),
        ) from None
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text, file) from None


def _syntax_error(error: yaml.MarkedYAMLError, text: str, file: str) -> InputError:
    """The error of libyaml, with the line of what it was reading if that began on another one."""
    mark, begin = error.problem_mark, error.context_mark
    context = error.context or ""
    if mark and begin and begin.line != mark.line:
        context += f" from line {begin.line + 1}"
    message = ", ".join(part for part in (context, error.problem) if part)
    lines = text.split("\n")
    tab = mark is not None and mark.line < len(lines) and lines[mark.line].lstrip(" ")[:1] == "\t"
    hint = "YAML is indented by spaces, never by tabs." if tab else ""
    where = Where(file, line=mark.line + 1 if mark else None)
    return InputError(f"invalid YAML: {message}", where=where, hint=hint)


def _documents(parser: Any, file: str) -> Iterator[Document]:
    while parser.check_event():
        event = parser.get_event()
        if isinstance(event, DocumentStartEvent):
            yield _Builder(parser, file).document()


def _line(event: Event) -> int:
    mark = event.start_mark
    return mark.line + 1 if mark else 0  # libyaml always has one


class _Builder:
    """Builds one document from the events between its start and its end."""

    def __init__(self, parser: Any, file: str) -> None:
        self._next, self._file = parser.get_event, file
        self._anchors: dict[str, Any] = {}
        self._lines: dict[int, dict[Any, int]] = {}
        self._aliased = 0

    def document(self) -> Document:
        event = self._next()
        value = self._value(event, 0)
        end = self._next()
        assert isinstance(end, DocumentEndEvent)  # noqa: S101 - the grammar of events
        return Document(value, _line(event), self._lines)

    def _refuse(self, event: Event, message: str) -> InputError:
        line = _line(event)
        return InputError(f"invalid YAML: {message}", where=Where(self._file, line=line))

    def _value(self, event: Event, depth: int) -> Any:
        if type(event) is ScalarEvent:
            value: Any = self._scalar(event)
        elif isinstance(event, AliasEvent):
            return self._alias(event)
        elif depth >= MAX_DEPTH:
            raise self._refuse(event, f"nested deeper than {MAX_DEPTH} levels")
        elif event.tag not in _COLLECTION_TAGS:  # type: ignore[attr-defined]
            raise self._refuse(event, scalars.foreign_tag(event.tag))  # type: ignore[attr-defined]
        elif isinstance(event, MappingStartEvent):
            value = self._mapping(depth + 1)
        else:
            value = self._sequence(depth + 1)
        if isinstance(event, NodeEvent) and event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _scalar(self, event: ScalarEvent) -> scalars.Scalar:
        if event.implicit[1]:  # quoted, or a block
            if "\0" in event.value:
                raise self._refuse(event, "a string with a NUL character")
            return str(event.value)
        try:
            if event.implicit[0]:
                return scalars.plain(event.value)
            return scalars.tagged(str(event.tag), event.value)
        except ValueError as error:
            raise self._refuse(event, str(error)) from None

    def _sequence(self, depth: int) -> list[Any]:
        out: list[Any] = []
        lines = self._lines[id(out)] = {}
        while type(event := self._next()) is not SequenceEndEvent:
            lines[len(out)] = _line(event)
            out.append(self._value(event, depth))
        return out

    def _mapping(self, depth: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        lines = self._lines[id(out)] = {}
        merges: list[tuple[Event, Any]] = []
        while type(event := self._next()) is not MappingEndEvent:
            if type(event) is ScalarEvent and event.value == "<<" and event.implicit[0]:
                merges.append((event, self._value(self._next(), depth)))
                continue
            key = self._key(event)
            if key in out:
                raise self._refuse(event, f"the key {key!r} is already in line {lines[key]}")
            lines[key] = _line(event)
            out[key] = self._value(self._next(), depth)
        for event, merged in merges:
            self._merge(event, merged, out)
        return out

    def _key(self, event: Event) -> str:
        """A key of a mapping; numbers and booleans become strings as in sigs.k8s.io/yaml."""
        key = self._value(event, MAX_DEPTH) if isinstance(event, ScalarEvent | AliasEvent) else None
        if isinstance(key, bool):
            return "true" if key else "false"
        if not isinstance(key, str | int | float):
            raise self._refuse(event, "a key must be a string")
        return str(key)

    def _merge(self, event: Event, merged: Any, out: dict[str, Any]) -> None:
        """Adds to ``out`` what ``<<`` names and what is not in it yet."""
        for mapping in merged if isinstance(merged, list) else [merged]:
            if not isinstance(mapping, dict):
                raise self._refuse(event, "<< takes a mapping or a list of mappings")
            for key in (key for key in mapping if key not in out):
                out[key] = mapping[key]
                self._lines[id(out)][key] = self._lines[id(mapping)][key]

    def _alias(self, event: AliasEvent) -> Any:
        if event.anchor not in self._anchors:
            raise self._refuse(event, f"the alias *{event.anchor} has no anchor before it")
        return self._copy(self._anchors[event.anchor], event)

    def _copy(self, value: Any, event: AliasEvent) -> Any:
        """A copy of an anchor's value with lines of its own, counted against the limit."""
        self._aliased += 1
        if self._aliased > MAX_ALIASED:
            raise self._refuse(event, f"aliases expand to more than {MAX_ALIASED:,} values")
        if not isinstance(value, dict | list):
            return value
        copy: Any
        if isinstance(value, dict):
            copy = {key: self._copy(item, event) for key, item in value.items()}
        else:
            copy = [self._copy(item, event) for item in value]
        self._lines[id(copy)] = self._lines[id(value)]
        return copy
