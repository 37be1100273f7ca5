"""Manifests from files, folders and standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from testbed.errors import InputError, Where
from testbed.objects.decode import decode
from testbed.objects.kind import Object
from testbed.objects.source import Origin, Source
from testbed.objects.yamltext import documents

MAX_BYTES = 4 << 20
"""Largest file that is read; etcd, behind a real API server, refuses objects above 1.5 MiB."""

SUFFIXES = (".yaml", ".yml", ".json")
"""Files of a folder that are manifests, as for kubectl."""


def _stdin() -> str:
    return sys.stdin.read()  # looked up at the call, for whoever replaces it


def load(paths: Sequence[str], stdin: Callable[[], str] = _stdin) -> tuple[Object, ...]:
    """All objects of manifests, in their order.

    Args:
        paths: Files, folders (with all folders in them, files in the order of their names), or
            ``-`` for standard input.
        stdin: Reads standard input.

    Raises:
        InputError: A path cannot be read or holds no object, an object is not valid or of a kind
            that is not served, or two have the same kind, namespace and name.
    """
    objects: list[Object] = []
    for path in paths:
        found = [one for text, file in _texts(path, stdin) for one in parse(text, file)]
        if not found:
            raise InputError("holds no Kubernetes object", where=Where(path))
        objects += found
    _refuse_duplicates(objects)
    return tuple(objects)


def parse(text: str, file: str) -> tuple[Object, ...]:
    """The objects of one YAML or JSON text; none if it is empty.

    Args:
        text: One or more documents; empty ones are skipped.
        file: What errors call it.

    Raises:
        InputError: As for :func:`load`, but for duplicates, which :func:`load` looks for.
    """
    if len(text) > MAX_BYTES:
        raise _too_large(file)
    _refuse_binary(text, file)
    found = documents(text.removeprefix("\ufeff"), file)
    several = sum(document.value is not None for document in found) > 1
    objects: list[Object] = []
    for index, document in enumerate(found, 1):
        if document.value is not None:
            source = Source(file, index if several else None, document.line)
            objects += decode(Origin(source, document.value, document.lines))
    return tuple(objects)


def _texts(path: str, stdin: Callable[[], str]) -> Iterator[tuple[str, str]]:
    """The texts of a path, each with the name of its file."""
    if path == "-":
        try:
            yield stdin(), path
        except UnicodeDecodeError:
            raise _not_utf8(path) from None
    elif Path(path).is_dir():
        files = sorted(_manifests(path))
        if not files:
            hint = f"Manifests are files that end in {', '.join(SUFFIXES)}."
            raise InputError("no manifest in this folder", where=Where(path), hint=hint)
        for file in files:
            yield _read(file), file
    else:
        yield _read(path), path


def _manifests(folder: str) -> Iterator[str]:
    for parent, _, files in os.walk(folder):
        yield from (str(Path(parent, name)) for name in files if name.endswith(SUFFIXES))


def _read(file: str) -> str:
    """The text of a file, of which no more is read than is allowed."""
    try:
        with Path(file).open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError("no such file or folder", where=Where(file)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot be read: {reason}", where=Where(file)) from None
    if len(data) > MAX_BYTES:
        raise _too_large(file)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(file, data.count(b"\n", 0, error.start) + 1) from None


def _refuse_binary(text: str, file: str) -> None:
    """Refuses NUL, and what Python makes of standard input that is not UTF-8."""
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError("not a text file: it has a NUL character", where=Where(file, line=line))
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _not_utf8(file, text.count("\n", 0, error.start) + 1) from None


def _not_utf8(file: str, line: int | None = None) -> InputError:
    return InputError("not UTF-8 text", where=Where(file, line=line))


def _too_large(file: str) -> InputError:
    hint = "Split it into several files, and give the folder."
    return InputError("a manifest may have at most 4 MiB", where=Where(file), hint=hint)


def _refuse_duplicates(objects: Sequence[Object]) -> None:
    seen: dict[tuple[str, str | None, str], Object] = {}
    for one in objects:
        namespace, name = one.metadata.namespace, one.metadata.name
        first = seen.setdefault((one.kind, namespace, name), one)
        if first is not one:
            place = f" in namespace {namespace}" if namespace else ""
            where = Where(one.source.file, one.source.document, one.source.line)
            raise InputError(
                f'{one.kind} "{name}"{place} is already defined at {first.source}', where=where
            )
