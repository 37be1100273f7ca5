"""The life of one container: started, watched, started again as its pod's policy says.

States, reasons and the growing wait between restarts are the kubelet's (``pkg/kubelet``): 10 s,
doubled each time up to 5 minutes, and forgotten after 10 minutes of running.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from testbed.lab import join

_FIRST_BACKOFF, _MOST_BACKOFF, _FORGIVEN_AFTER = 10.0, 300.0, 600.0
_START_ERROR = 128  # the exit code that containerd reports for a program that cannot be started


@dataclass(frozen=True, slots=True)
class Program:
    """What a container runs.

    Attributes:
        name: The container's.
        image: As written.
        argv: Program and arguments; None for a container without process (``pause``).
        environment: Name → value, complete.
        directory: Where it starts; None for ``/``.
        log: The file that takes its output.
    """

    name: str
    image: str
    argv: tuple[str, ...] | None
    environment: Mapping[str, str]
    directory: str | None
    log: Path


class Container:
    """A container and its state, as Kubernetes' ContainerStatus shows it.

    Args:
        program: What it runs.
        namespaces: Gives the descriptors of its pod's namespaces.
        changed: Called at each change of state.
    """

    def __init__(
        self,
        program: Program,
        namespaces: Callable[[], join.Descriptors],
        changed: Callable[[], None],
    ) -> None:
        self.program, self._namespaces, self._changed = program, namespaces, changed
        self.state: dict[str, Any] = {"waiting": {"reason": "ContainerCreating"}}
        self.last_state: dict[str, Any] = {}
        self.restarts = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        return self._process.pid if self._process and "running" in self.state else None

    @property
    def running(self) -> bool:
        """Whether it runs (one without process always does)."""
        return "running" in self.state

    async def run(self, policy: str) -> int:
        """Runs it until its pod's restart policy is content.

        Args:
            policy: ``Always``, ``OnFailure`` or ``Never``.

        Returns:
            The last exit code.
        """
        if self.program.argv is None:
            self.mark_running()
            await asyncio.Event().wait()
        wait = _FIRST_BACKOFF
        while True:
            began = time.monotonic()
            code = await self._run_once()
            if policy == "Never" or (policy == "OnFailure" and code == 0):
                return code
            wait = _FIRST_BACKOFF if time.monotonic() - began > _FORGIVEN_AFTER else wait
            self._back_off(wait)
            await asyncio.sleep(wait)
            wait = min(2 * wait, _MOST_BACKOFF)
            self.restarts += 1

    async def _run_once(self) -> int:
        problem = self._start()
        if problem:
            self._set({"terminated": _terminated(_START_ERROR, "StartError", _now(), problem)})
            return _START_ERROR
        process = self._process
        assert process is not None  # noqa: S101 - _start had no problem
        started = _now()
        self.mark_running()
        code = await _ended(process)
        self._process = None  # not when this is cancelled: stop() needs it
        code = 128 - code if code < 0 else code  # as a shell reports a signal
        reason = "Completed" if code == 0 else "Error"
        self._set({"terminated": _terminated(code, reason, started)})
        return code

    def _start(self) -> str:
        """Starts the process; what is wrong if it cannot be."""
        argv, environment = self.program.argv or (), dict(self.program.environment)
        if shutil.which(argv[0], path=environment.get("PATH")) is None:
            return f'exec: "{argv[0]}": executable file not found in $PATH'
        namespaces = self._namespaces()
        where = [f"--wdns={self.program.directory}"] if self.program.directory else []
        line = join.command(namespaces, argv)
        with self.program.log.open("ab") as log:
            self._process = subprocess.Popen(
                [line[0], *where, *line[1:]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                pass_fds=tuple(namespaces.values()),
                start_new_session=True,
            )
        return ""

    async def stop(self, grace: float) -> None:
        """Ends the process: SIGTERM, and SIGKILL after the grace period."""
        process = self._process
        if process is None:
            return
        os.kill(process.pid, signal.SIGTERM)  # Popen's own would reap one that has just ended
        try:
            await asyncio.wait_for(_ended(process), grace)
        except TimeoutError:
            os.kill(process.pid, signal.SIGKILL)
            await _ended(process)

    def mark_running(self) -> None:
        """Has it count as running from now on."""
        self._set({"running": {"startedAt": _now()}})

    def _back_off(self, seconds: float) -> None:
        self.last_state = self.state
        name = self.program.name
        message = f"back-off {seconds:.0f}s restarting failed container={name}"
        self._set({"waiting": {"reason": "CrashLoopBackOff", "message": message}})

    def _set(self, state: dict[str, Any]) -> None:
        self.state = state
        self._changed()


async def _ended(process: subprocess.Popen[bytes]) -> int:
    """Waits for a process by its descriptor, without a thread or a look now and then.

    What is left of its process group is killed, as the end of a container's process 1 does it.
    """
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    descriptor = os.pidfd_open(process.pid)
    loop.add_reader(descriptor, done.set)
    try:
        await done.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    os.killpg(process.pid, signal.SIGKILL)  # before it is reaped: the number is still its own
    return process.wait()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _terminated(code: int, reason: str, started: str, message: str = "") -> dict[str, Any]:
    found = {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": _now()}
    return found | ({"message": message} if message else {})
