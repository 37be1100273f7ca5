"""The real proxy: its files, its test, its main process, and reloads.

A reload is over when the proxy answers with the digest of the new files, and none of its processes
of before still holds a socket on which it listens: until then nginx's old workers take connections,
too, for the tenth of a second that the master gives the new ones to start
(``ngx_master_process_cycle``). Neither nginx nor HAProxy tells when that is, so they are asked.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from testbed.ingress.contract import Controller, Setting

PATIENCE = 60.0
"""Seconds for a test, and for a reload; 10,000 paths of one host take several."""

_AGAIN = 0.005  # seconds until it is asked again; a reload takes some hundredths at least
_LISTEN = "0A"  # the state in /proc/net/tcp
_MOST = 2000  # characters of a test's words


class Refused(Exception):
    """The proxy does not take its files; the message has its own words."""


class Proxy:
    """A proxy and its folder.

    Args:
        controller: What it is.
        setting: Where it runs.

    Attributes:
        process: Its main process; None before the first :meth:`load`.
        started: Set once there is one.
    """

    def __init__(self, controller: Controller, setting: Setting) -> None:
        self._controller, self._setting = controller, setting
        self._files: Mapping[str, str] = {}
        self.process: Process | None = None
        self.started = asyncio.Event()

    async def load(self, files: Mapping[str, str], digest: str) -> None:
        """Starts the proxy with these files, or has it take them.

        Raises:
            Refused: It does not; what ran before goes on, and its files are back.
        """
        before = self._files
        self._write(before, files)
        try:
            await self._test()
        except Refused:
            self._write(files, before)
            raise
        self._files = files
        old = self._children()
        if self.process is None:
            self.process = await asyncio.create_subprocess_exec(
                *self._controller.start(self._setting), stdin=DEVNULL
            )
            self.started.set()
        else:
            self.process.send_signal(self._controller.reload)
        try:
            async with asyncio.timeout(PATIENCE):
                await self._until(lambda: self._answers(digest))
                await self._until(lambda: not self._listening(old))
        except TimeoutError:
            raise Refused(f"it does not run them after {PATIENCE:.0f} s") from None

    def quit(self) -> None:
        """Has it end what it has begun, and then itself."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(self._controller.quit)

    async def _test(self) -> None:
        test = await asyncio.create_subprocess_exec(
            *self._controller.test(self._setting), stdin=DEVNULL, stdout=PIPE, stderr=PIPE
        )
        try:
            said, errors = await asyncio.wait_for(test.communicate(), PATIENCE)
        except TimeoutError:
            test.kill()
            raise Refused(f"its test takes longer than {PATIENCE:.0f} s") from None
        if test.returncode:
            raise Refused((errors or said).decode(errors="replace")[-_MOST:].strip())

    def _write(self, old: Mapping[str, str], new: Mapping[str, str]) -> None:
        """Makes the files what they are to be, each in one moment; only this user can read them."""
        for name in old.keys() - new.keys():
            (Path(self._setting.folder) / name).unlink()
        for name, text in new.items():
            if old.get(name) != text:
                _replace(Path(self._setting.folder) / name, text)

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not await asyncio.to_thread(holds):
            if self.process is not None and self.process.returncode is not None:
                raise Refused(f"it has ended ({self.process.returncode})")
            await asyncio.sleep(_AGAIN)

    def _answers(self, digest: str) -> bool:
        """Whether the proxy runs the files of this digest."""
        from testbed.ingresscontroller import asking

        return asking.status(f"{self._setting.folder}/status.sock") == digest

    def _children(self) -> set[int]:
        """The processes that the main one has started."""
        if self.process is None:
            return set()
        pid = self.process.pid
        with suppress(OSError):
            return {int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
        return set()

    def _listening(self, processes: set[int]) -> bool:
        """Whether one of these processes still accepts connections."""
        ports = {self._setting.http, self._setting.https}
        sockets = {f"socket:[{inode}]" for inode in _listeners(ports)}
        return any(not sockets.isdisjoint(_open(pid)) for pid in processes)


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # mode 0600
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - it is a descriptor
        file.write(text)
    Path(name).replace(path)


def _listeners(ports: set[int]) -> Iterator[str]:
    """The inodes of the sockets of this network that listen on these ports (proc(5))."""
    for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[3] == _LISTEN and int(words[1].rpartition(":")[2], 16) in ports:
            yield words[9]


def _open(pid: int) -> Iterator[str]:
    """What a process has open; nothing if it is no more."""
    with suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                yield str(Path(entry.path).readlink())
