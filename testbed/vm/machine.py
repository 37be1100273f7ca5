"""A guest that runs: booting it, and running one command in it."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from testbed.errors import LabError
from testbed.vm import box
from testbed.vm.plan import Plan
from testbed.vm.streams import Input, Output

BOOT_LIMIT = 240.0
"""Seconds after which a guest in software emulation counts as stuck; it takes 6 on two cores."""

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Signals that the command in the guest gets in our place; the second one ends the guest."""

KILLED = 130
"""The exit code where a second signal ended the guest: that of Ctrl-C."""

_CHUNK = 1 << 16
_KEPT = 1 << 14  # of the console, for the message of an error
_LINES = 12


class Machine:
    """A guest, from its first process to its end.

    Args:
        plan: What to boot.
        accelerator: :data:`testbed.vm.qemu.KVM` or :data:`testbed.vm.qemu.TCG`.
    """

    def __init__(self, plan: Plan, accelerator: str) -> None:
        self._box = box.start(plan, accelerator)
        self._said = {"console": b"", "log": b""}
        self._rest = b""  # of a line of `control`
        self._selector = selectors.DefaultSelector()
        for name in ("console", "log", "control"):
            self._selector.register(self._box.sockets[name], selectors.EVENT_READ, name)

    def end(self) -> None:
        """Ends it, and returns when nothing is left of it."""
        self._box.end()
        self._selector.close()

    def is_ready(self, limit: float) -> bool:
        """Waits until the guest can run the command; False after so many seconds.

        Raises:
            LabError: It ended instead.
        """
        message = self._receive(time.monotonic() + limit)
        return message is not None

    def run(self, argv: Sequence[str], environment: Mapping[str, str], folder: str) -> int:
        """Runs a command with our standard streams; returns its exit code.

        Args:
            argv: The command.
            environment: Its environment.
            folder: Where it starts.

        Raises:
            LabError: The guest died.
        """
        outputs = [self._output("stdout", 1), self._output("stderr", 2)]
        stdin = Input(0, self._box.sockets["stdin"], lambda count: self._send({"eof": count}))
        with self._signals():
            self._send(
                {
                    "argv": list(argv),
                    "env": dict(environment),
                    "cwd": folder,
                    "files": os.sysconf("SC_OPEN_MAX"),
                }
            )
            for thread in (stdin, *outputs):
                thread.start()
            last = self._receive(None)
        assert last is not None  # noqa: S101 - without a limit
        for name, output in zip(("stdout", "stderr"), outputs, strict=True):
            output.wait_for(last[name])
        if "error" in last:
            os.write(2, f"testbed: vm: {last['error']}\n".encode())
        return int(last["exit"])

    def _output(self, name: str, sink: int) -> Output:
        source = self._box.sockets[name]
        return Output(source, sink, lambda: self._send({"closed": name}))

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._box.sockets["control"].sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return  # the guest is dying, which is told where it is waited for

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Passes signals on for the time of a block."""
        got: list[int] = []

        def pass_on(number: int, _: FrameType | None) -> None:
            if got:
                self._box.end()
                raise SystemExit(KILLED)
            got.append(number)
            self._send({"signal": number})

        before = {number: signal.signal(number, pass_on) for number in FORWARDED}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _receive(self, deadline: float | None) -> dict[str, Any] | None:
        """The next message of the guest; None at the deadline."""
        while b"\n" not in self._rest:
            left = None if deadline is None else deadline - time.monotonic()
            events = self._selector.select(left)
            if not events and left is not None:
                return None
            for key, _ in events:
                self._read(key)
        line, _, self._rest = self._rest.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def _read(self, key: selectors.SelectorKey) -> None:
        assert isinstance(key.fileobj, socket.socket)  # noqa: S101 - nothing else is registered
        try:
            data = key.fileobj.recv(_CHUNK)
        except ConnectionResetError:
            data = b""
        if not data:
            self._selector.unregister(key.fileobj)
            if not self._selector.get_map():
                raise self._death()
        elif key.data == "control":
            self._rest += data
        else:
            self._said[key.data] = (self._said[key.data] + data)[-_KEPT:]

    def _death(self) -> LabError:
        text = "\n  ".join(last_words(**self._said))
        return LabError(f"the virtual machine died; its last words:\n  {text}")


def last_words(console: bytes, log: bytes) -> list[str]:
    """The lines that say why a guest died.

    Args:
        console: What its kernel and its first process printed. If the kernel panicked, what it
            printed after that is of no use to most people.
        log: What QEMU and virtiofsd printed.
    """
    text = console.decode(errors="replace").replace("\r", "")
    before, panic, after = text.partition("Kernel panic")
    lines = f"{before}{panic}{after.partition(chr(10))[0]}".splitlines()[-_LINES:]
    lines += log.decode(errors="replace").splitlines()[-_LINES:]
    return [line for line in lines if line.strip()]
