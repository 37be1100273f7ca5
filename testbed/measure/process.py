"""Running a measuring tool in a lab: a server until it is told to stop, a client until it ends.

Everything that a tool prints is kept untouched in the sample's raw folder: ``NAME.stdout``,
``NAME.stderr``, and ``NAME.json`` with the target, the arguments, the processor, the exit code and
the time.
Nothing waits for ever and nothing sleeps in the hope that a server is up: a server is up when it
says so on its standard output.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import LabError
from testbed.measure.affinity import Role, pinned
from testbed.measure.contract import LabHandle
from testbed.measure.cpu import Window

START_LIMIT = 10.0
"""Seconds that a server may take until it listens, and that a tool may take longer than asked."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A client that has run to its end.

    Attributes:
        stdout: What it printed.
        stderr: What it complained of.
        code: Its exit code; negative is a signal.
        cpu: The machine's CPU time while it ran.
        raw: The folder that has its output.
    """

    stdout: str
    stderr: str
    code: int
    cpu: Window
    raw: Path

    def error(self, tool: str, message: str) -> LabError:
        """The error that says what this tool said."""
        return LabError(f"{tool}: {message}", hint=f"Its output is in {self.raw}.")


@dataclass(frozen=True, slots=True)
class Flow:
    """Who sends to whom.

    Attributes:
        lab: The lab to measure in.
        source: Target of the client.
        target: Target of the server.
        address: The IPv4 address at which the client reaches the server.
    """

    lab: LabHandle
    source: str
    target: str
    address: str


class Launched:
    """A process of a tool, whose output goes to files of the raw folder.

    Args:
        lab: Where.
        target: In which namespaces of the lab.
        argv: What.
        raw: The sample's folder.
        role: Of which end of the flow it is: this decides its processor and its files' names.
    """

    def __init__(
        self, lab: LabHandle, target: str, argv: Sequence[str], raw: Path, role: Role
    ) -> None:
        self.target, self.argv, self._raw, self._role = target, list(argv), raw, role
        self._clock, self._text = time.monotonic(), b""
        with self._file("stderr").open("wb") as errors:
            pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": errors}
            with pinned(role) as self._processor:
                self.process = lab.popen(target, self.argv, **pipes)

    def _file(self, suffix: str) -> Path:
        return self._raw / f"{self._role}.{suffix}"

    def await_line(self, words: str, limit: float = START_LIMIT) -> None:
        """Returns as soon as the process has printed ``words``.

        Raises:
            LabError: It ended before that, or the time limit passed.
        """
        end = time.monotonic() + limit
        while words.encode() not in self._text:
            if not self.read(max(0.0, end - time.monotonic())):
                raise self._failed(f"did not print {words!r} within {limit:g} s")

    def read(self, limit: float) -> bool:
        """Waits until the process prints something, and takes all that is there.

        Returns:
            Whether it printed something within the time limit.

        Raises:
            LabError: It has ended.
        """
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe, see the constructor
        stream = self.process.stdout.fileno()
        readable = select.poll()
        readable.register(stream, select.POLLIN)
        if not readable.poll(limit * 1000):
            return False
        while readable.poll(0):
            part = os.read(stream, 65536)
            if not part:
                raise self._failed("ended too early")
            self._text += part
        return True

    def finish(self, limit: float) -> int:
        """Waits for the end, stores all output and returns the exit code.

        Raises:
            LabError: It did not end in time (and was killed).
        """
        try:
            rest, _ = self.process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise self._failed(f"did not end within {limit:g} s") from None
        self._store(rest)
        return self.process.returncode

    def kill(self) -> None:
        """Ends it now, if it has not ended, and stores all output."""
        self.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._store(self.process.communicate(timeout=START_LIMIT)[0])

    @property
    def output(self) -> str:
        """What it has printed up to now, as far as read."""
        return self._text.decode(errors="replace")

    @property
    def complaints(self) -> str:
        """What it has written to its standard error."""
        return self._file("stderr").read_text(errors="replace")

    def _store(self, rest: bytes) -> None:
        self._text += rest
        self._file("stdout").write_bytes(self._text)
        record = {
            "target": self.target,
            "argv": self.argv,
            "processor": self._processor,
            "exit_code": self.process.returncode,
            "seconds": round(time.monotonic() - self._clock, 6),
        }
        self._file("json").write_text(json.dumps(record) + "\n")

    def _failed(self, what: str) -> LabError:
        self.kill()
        words = (self.complaints.strip() or self.output.strip() or "nothing")[-2000:]
        message = f"{self.argv[0]} in {self.target} {what}; it said: {words}"
        return LabError(message, hint=f"Its output is in {self._raw}.")


@contextlib.contextmanager
def server(flow: Flow, argv: Sequence[str], raw: Path, ready: str) -> Iterator[Launched]:
    """The flow's server, listening during the ``with`` block; it is killed after it.

    Args:
        flow: Where.
        argv: What.
        raw: The sample's folder.
        ready: What it prints once it listens.

    Raises:
        LabError: It ended or did not listen in time; the message has its own words.
    """
    launched = Launched(flow.lab, flow.target, argv, raw, "server")
    try:
        launched.await_line(ready)
        yield launched
    finally:
        launched.kill()


def client(flow: Flow, argv: Sequence[str], raw: Path, seconds: float) -> Finished:
    """Runs the flow's client to its end; the machine's CPU time is measured around it.

    Args:
        flow: Where.
        argv: What.
        raw: The sample's folder.
        seconds: How long it should take; :data:`START_LIMIT` more is the time limit.

    Raises:
        LabError: It did not end in time.
    """
    with Window() as window:
        launched = Launched(flow.lab, flow.source, argv, raw, "client")
        try:
            code = launched.finish(seconds + START_LIMIT)
        except BaseException:
            launched.process.kill()
            raise
    return Finished(launched.output, launched.complaints, code, window, raw)
