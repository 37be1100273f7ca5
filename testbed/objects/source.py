"""Where an object came from, and what is wrong with it.

A path inside an object is a tuple of keys and indices, ``("spec", "containers", 0, "name")``; it is
printed as Kubernetes prints it, ``spec.containers[0].name``. An :class:`Origin` turns a path into a
line of the file, by walking the values as they were read; nothing is computed until somebody asks,
so an object without errors pays for none of it. :class:`Findings` collects everything that is
wrong with one object, in the words of the Kubernetes API server (apimachinery
``pkg/util/validation/field/errors.go``), and raises it as one :class:`InputError`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from testbed.errors import InputError, Where

Path = tuple[str | int, ...]
"""A path inside an object: keys and indices."""

Manifest = dict[str, Any]
"""A Kubernetes object or a part of it, as JSON values."""

_SHOWN_FINDINGS = 20
_SHOWN_CHARACTERS = 80
_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")


@dataclass(frozen=True, slots=True)
class Source:
    """The place of an object in the user's input.

    Attributes:
        file: Path as the user gave it, ``-`` for standard input.
        document: Index of the YAML document in the file, from 1; None where there is just one.
        line: Line of the object's first field, from 1; None for an object that was in no file.
    """

    file: str
    document: int | None = None
    line: int | None = None

    def __str__(self) -> str:
        return str(Where(self.file, self.document, self.line))


def dotted(path: Path) -> str:
    """A path as Kubernetes writes it: ``spec.containers[0].name``, ``metadata.labels[a.b/c]``."""
    text = ""
    for step in path:
        if isinstance(step, str) and _PLAIN.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{step}]"
    return text


@dataclass(frozen=True, slots=True)
class Origin:
    """The document that an object stands in, with the lines of its fields.

    Attributes:
        source: File and document; its line is the document's first.
        root: The document's value as it was read.
        lines: ``id`` of each container inside ``root`` → key or index → line.
        base: Path of the object in ``root``; ``("items", 3)`` in a List.
    """

    source: Source
    root: Any = None
    lines: Mapping[int, Mapping[Any, int]] = field(default_factory=dict)
    base: Path = ()

    def at(self, *steps: str | int) -> Origin:
        """The origin of an object further inside."""
        return replace(self, base=self.base + steps)

    def where(self, path: Path = ()) -> Where:
        """The place of a field; of the nearest one around it where the field itself is absent."""
        value, line = self.root, self.source.line
        for step in self.base + path:
            line = self.lines.get(id(value), {}).get(step, line)
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                break
        name = dotted(self.base + path) or None
        return Where(self.source.file, self.source.document, line, name)

    def here(self) -> Source:
        """The source of the object at ``base``: its line is that of its first field."""
        value: Any = self.root
        for step in self.base:
            value = value[step]
        first = min(self.lines.get(id(value), {}).values(), default=self.where().line)
        return replace(self.source, line=first)


class Findings:
    """What is wrong with one object; empty if nothing is.

    Args:
        origin: Where the object came from.
    """

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self._found: dict[tuple[Path, str], None] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, path: Path, message: str) -> None:
        """Something is wrong with a field."""
        self._found[path, message] = None

    def required(self, path: Path, detail: str = "") -> None:
        """A field is absent or empty."""
        self.add(path, f"Required value: {detail}" if detail else "Required value")

    def invalid(self, path: Path, value: object, reasons: str | Iterable[str]) -> None:
        """A field has a value that it may not have; one finding per reason."""
        for reason in [reasons] if isinstance(reasons, str) else reasons:
            self.add(path, f"Invalid value: {shown(value)}: {reason}")

    def unsupported(self, path: Path, value: object, supported: Iterable[str]) -> None:
        """A field has a value other than those of its enumeration."""
        names = ", ".join(json.dumps(name) for name in supported)
        self.add(path, f"Unsupported value: {shown(value)}: supported values: {names}")

    def duplicate(self, path: Path, value: object) -> None:
        """A value that must be unique is there twice."""
        self.add(path, f"Duplicate value: {shown(value)}")

    def forbidden(self, path: Path, detail: str) -> None:
        """A field may not be set here."""
        self.add(path, f"Forbidden: {detail}")

    def check(self) -> None:
        """Raises everything that was found.

        Raises:
            InputError: At least one thing was; its place is that of the one on the first line, and
                further ones follow on lines of their own, each with its place.
        """
        if not self._found:
            return
        placed = [(self.origin.where(path), message) for path, message in self._found]
        placed.sort(key=lambda one: one[0].line or 0)
        (where, message), *more = placed
        lines = [message, *(f"{place}: {text}" for place, text in more[: _SHOWN_FINDINGS - 1])]
        if len(placed) > _SHOWN_FINDINGS:
            lines.append(f"and {len(placed) - _SHOWN_FINDINGS} more")
        raise InputError("\n".join(lines), where=where)


def shown(value: object) -> str:
    """A value in a message: JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 3]}..."
