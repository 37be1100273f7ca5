"""The errors that a user sees, and the exit code that each one means.

An error says what is wrong, where (file, document, line, field) and what to do about it. The
command line prints ``str(error)`` as one message on stderr and exits with ``error.exit_code``;
nothing else in the code base decides on an exit code.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Where:
    """A place in the user's input.

    Attributes:
        file: Path as the user gave it, ``-`` for standard input, or an option such as ``--set``.
        document: Index of the YAML document in the file, from 1; None where there is just one.
        line: Line in the file, from 1.
        field: Path of the field, as Kubernetes writes it: ``spec.containers[0].name``.
    """

    file: str
    document: int | None = None
    line: int | None = None
    field: str | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        document = "" if self.document is None else f" (document {self.document})"
        return place + document + (f": {self.field}" if self.field else "")


class TestbedError(Exception):
    """What every error of this project is: a message, a hint and an exit code.

    Args:
        message: What is wrong.
        where: Where in the input, if it is there.
        hint: What to do about it, a sentence.
    """

    __test__ = False  # the name is no pytest class
    exit_code = 4

    def __init__(self, message: str, *, where: Where | None = None, hint: str = "") -> None:
        self.message, self.where, self.hint = message, where, hint
        super().__init__(message)

    def __str__(self) -> str:
        text = self.message if self.where is None else f"{self.where}: {self.message}"
        return f"{text}\n  {self.hint}" if self.hint else text


class NotSo(TestbedError):
    """The thing asked about is not so: a regression, a failed check. Exit code 1."""

    exit_code = 1


class InputError(TestbedError):
    """Bad usage or bad input; nothing was changed. Exit code 2."""

    exit_code = 2


class MissingError(TestbedError):
    """The machine lacks a program or a kernel feature. Exit code 3."""

    exit_code = 3


class LabError(TestbedError):
    """Something failed inside the lab. Exit code 4."""


def unknown(what: str, name: str, known: Iterable[str], where: Where | None = None) -> InputError:
    """The error for a name that is not known, with the nearest known one.

    Args:
        what: What is named, singular: ``CNI mode``.
        name: The unknown name.
        known: The known names.
        where: Where it was written.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = (f"Did you mean {near[0]!r}? " if near else "") + f"Known: {', '.join(names)}."
    return InputError(f"unknown {what} {name!r}", where=where, hint=hint)
