"""The first process of the guest: runs one command, and carries its streams and signals.

It is started by :mod:`testbed.vm.init` with no package path, so it imports the standard library
alone, and little of that: each module costs time where the processor is emulated.

It talks through the virtio-serial ports that :mod:`testbed.vm.qemu` names. ``control`` has JSON
lines. From here::

    {"ready": true}                                the guest runs
    {"exit": 0, "stdout": 12, "stderr": 0}         the command's code, and the bytes it wrote
    {"exit": 127, "error": "No such file …"}       it could not be started

To here::

    {"argv": […], "env": {…}, "cwd": "…", "files": 1024}   run this; comes first
    {"signal": 2}                                  to the command's process group
    {"eof": 12}                                    stdin ends after so many bytes
    {"closed": "stdout"}                           nobody reads it any more: SIGPIPE from now on

The code of a command that a signal ended is 128 + its number, as a shell's.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import socket
import threading
from typing import Any

_CHUNK = 1 << 16
_UEVENT = 15  # NETLINK_KOBJECT_UEVENT
_NOT_FOUND, _NOT_RUNNABLE = 127, 126


def ports() -> dict[str, int]:
    """The ports by name, opened; waits for the kernel to tell of them (uevents)."""
    folder = "/sys/class/virtio-ports"
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _UEVENT) as events:
        events.bind((0, 1))
        while True:
            found = {}
            for device in os.listdir(folder) if os.path.isdir(folder) else ():  # noqa: PTH112, PTH208
                try:
                    with open(f"{folder}/{device}/name") as file:  # noqa: PTH123
                        found[file.read().strip()] = f"/dev/{device}"
                except FileNotFoundError:  # is told in a moment
                    continue
            if len(found) == 4:
                return {name: os.open(path, os.O_RDWR) for name, path in found.items()}
            events.recv(_CHUNK)


def write(descriptor: int, data: bytes) -> None:
    """Writes all of it."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


class Control:
    """JSON lines over the port ``control``."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._rest = b""

    def send(self, message: dict[str, Any]) -> None:
        """Sends one line."""
        write(self._port, json.dumps(message).encode() + b"\n")

    def receive(self) -> dict[str, Any]:
        """Waits for one line."""
        while b"\n" not in self._rest:
            self._rest += os.read(self._port, _CHUNK)
        line, _, self._rest = self._rest.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message


class Input(threading.Thread):
    """Carries the port ``stdin`` into the command's pipe, until its end is told."""

    def __init__(self, port: int, pipe: int) -> None:
        super().__init__(daemon=True)
        self._port, self._pipe = port, pipe
        self._wake, self._waker = os.pipe()
        self._total = -1

    def ends_after(self, total: int) -> None:
        """There are so many bytes and no more."""
        self._total = total
        os.close(self._waker)

    def run(self) -> None:
        """Returns at the end, or when the command reads no more."""
        moved = 0
        poll = select.poll()
        poll.register(self._port, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while moved != self._total:
            ready = dict(poll.poll())
            if self._wake in ready:
                poll.unregister(self._wake)
            if self._port not in ready:
                continue
            data = os.read(self._port, _CHUNK)
            moved += len(data)
            try:
                write(self._pipe, data)
            except BrokenPipeError:
                break
        os.close(self._pipe)


class Output(threading.Thread):
    """Carries what the command writes into a port.

    Attributes:
        count: Bytes so far.
    """

    def __init__(self, pipe: int, port: int) -> None:
        super().__init__(daemon=True)
        self.count = 0
        self._pipe, self._port = pipe, port
        self._wake, self._waker = os.pipe()
        self._unread = False

    def finish(self) -> None:
        """Carries what is in the pipe, though others may still hold it, and returns after that."""
        write(self._waker, b".")
        self.join()

    def unread(self) -> None:
        """Closes the pipe, because nobody wants to read this."""
        self._unread = True
        write(self._waker, b".")

    def run(self) -> None:
        """Returns at the end of the pipe, or as the two methods say."""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            if self._wake in dict(poll.poll()):
                os.set_blocking(self._pipe, False)
            try:
                data = b"" if self._unread else os.read(self._pipe, _CHUNK)
            except BlockingIOError:
                break
            if not data:
                break
            write(self._port, data)
            self.count += len(data)
        os.close(self._pipe)


def spawn(asked: dict[str, Any], stdin: int, stdout: int, stderr: int) -> int:
    """Starts the command in a session of its own, and returns its process id.

    Raises:
        OSError: It cannot be started.
    """
    os.environ.clear()
    os.environ.update(asked["env"])
    resource.setrlimit(resource.RLIMIT_NOFILE, (asked["files"], asked["files"]))
    os.chdir(asked["cwd"])
    moves = [(os.POSIX_SPAWN_DUP2, fd, to) for to, fd in enumerate((stdin, stdout, stderr))]
    return os.posix_spawnp(
        asked["argv"][0],
        asked["argv"],
        os.environ,
        file_actions=moves,
        setsid=True,
        setsigdef=(signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT),
    )


def wait(process: int) -> int:
    """Waits for the command, and for every orphan before it; returns its code."""
    while True:
        ended, status = os.wait()
        if ended == process:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def obey(control: Control, process: int, stdin: Input, outputs: dict[str, Output]) -> None:
    """Does what ``control`` says, for ever."""
    while True:
        message = control.receive()
        if "signal" in message:
            try:
                os.killpg(process, message["signal"])
            except ProcessLookupError:
                continue  # it has ended this very moment
        elif "eof" in message:
            stdin.ends_after(message["eof"])
        elif "closed" in message:
            outputs[message["closed"]].unread()


def serve(control: Control, port: dict[str, int]) -> dict[str, Any]:
    """Runs the command that ``control`` asks for; returns the last message."""
    asked = control.receive()
    pipes = [os.pipe() for _ in range(3)]
    (ours_in, stdin), (stdout, ours_out), (stderr, ours_err) = pipes
    try:
        process = spawn(asked, ours_in, ours_out, ours_err)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        return {
            "exit": _NOT_FOUND if missing else _NOT_RUNNABLE,
            "error": str(error),
            "stdout": 0,
            "stderr": 0,
        }
    for descriptor in (ours_in, ours_out, ours_err):
        os.close(descriptor)
    outputs = {
        "stdout": Output(stdout, port["stdout"]),
        "stderr": Output(stderr, port["stderr"]),
    }
    feeder = Input(port["stdin"], stdin)
    for thread in (feeder, *outputs.values()):
        thread.start()
    told = (control, process, feeder, outputs)
    threading.Thread(target=obey, args=told, daemon=True).start()
    code = wait(process)
    for output in outputs.values():
        output.finish()
    return {"exit": code} | {name: output.count for name, output in outputs.items()}


def main() -> None:
    """Runs one command; then everything that was written is on the machine's disk."""
    port = ports()
    control = Control(port["control"])
    control.send({"ready": True})
    last = serve(control, port)
    os.sync()
    control.send(last)
    signal.pause()  # the other side ends the guest


if __name__ == "__main__":
    main()
