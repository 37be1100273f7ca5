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
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from testbed.kernel import join
from testbed.kernel.processes import ended, spawn
from testbed.kubelet.health import Health
from testbed.kubelet.programs import Program
from testbed.objects.probe import Probe

_FIRST_BACKOFF, _MOST_BACKOFF, _FORGIVEN_AFTER = 10.0, 300.0, 600.0
_START_ERROR = 128  # the exit code that containerd reports for a program that cannot be started


class Container:
    """A container and its state, as Kubernetes' ContainerStatus shows it.

    Args:
        program: What it runs.
        namespaces: Gives the descriptors of its pod's namespaces.
        changed: Called at each change of state.
        grace: Seconds from SIGTERM to SIGKILL when a probe ends it, unless the probe has its own.

    Attributes:
        health: How it does by its probes; put here by whoever made it, None for none.
        state: What it does.
        last_state: How it ended the last time.
        restarts: How often it was started again.
    """

    def __init__(
        self,
        program: Program,
        namespaces: Callable[[], join.Descriptors],
        changed: Callable[[], None],
        grace: float = 30,
    ) -> None:
        self.program, self._namespaces, self._changed = program, namespaces, changed
        self.health: Health | None = None
        self._grace, self._stopping = grace, False
        self._ending: asyncio.Task[None] | None = None
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

    @property
    def started(self) -> bool:
        """Whether it runs, and its startup probe was good."""
        return self.running and (self.health is None or self.health.started)

    @property
    def ready(self) -> bool:
        """Whether it has started, and its readiness probe is good."""
        return self.running and (self.health is None or self.health.ready)

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
        code = await ended(process)
        self._process = None  # not when this is cancelled: stop() needs it
        self._end_ending()
        self._set_ended(code, started)
        return 128 - code if code < 0 else code

    def _set_ended(self, code: int, started: str) -> None:
        code = 128 - code if code < 0 else code  # as a shell reports a signal
        reason = "Completed" if code == 0 else "Error"
        self._set({"terminated": _terminated(code, reason, started)})

    def _start(self) -> str:
        """Starts the process; what is wrong if it cannot be."""
        argv, environment = self.program.argv or (), dict(self.program.environment)
        if shutil.which(argv[0], path=environment.get("PATH")) is None:
            return f'exec: "{argv[0]}": executable file not found in $PATH'
        namespaces, directory = self._namespaces(), self.program.directory
        with self.program.log.open("ab") as log:
            self._process = spawn(argv, namespaces, environment, directory, log)
        return ""

    async def stop(self, grace: float) -> None:
        """Ends the process for good: SIGTERM, and SIGKILL after the grace period.

        Until then it is asked for its readiness, and for nothing else any more.
        """
        self._stopping, process, code = True, self._process, 0
        self._end_ending()
        if process is not None:
            os.kill(process.pid, signal.SIGTERM)  # Popen's own would reap one that has just ended
            try:
                code = await asyncio.wait_for(ended(process), grace)
            except TimeoutError:
                os.kill(process.pid, signal.SIGKILL)
                code = await ended(process)
            self._process = None
        if self.running:
            self._set_ended(code, self.state["running"]["startedAt"])

    def fail(self, probe: Probe) -> None:
        """Ends the process because of a probe; the pod's restart policy decides what comes then."""
        own = probe.termination_grace_period_seconds
        if not self._stopping:
            self._ending = asyncio.create_task(self._end(self._grace if own is None else own))

    async def _end(self, grace: float) -> None:
        process = self._process
        if process is None:  # one without process: another one of it
            self.restarts += 1
            self.mark_running()
            return
        os.kill(process.pid, signal.SIGTERM)
        await asyncio.sleep(grace)  # its end ends this
        os.kill(process.pid, signal.SIGKILL)

    def _end_ending(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

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
        if self.health is not None:
            if self.running:
                self.health.begin()
            else:
                self.health.end()
        self._changed()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _terminated(code: int, reason: str, started: str, message: str = "") -> dict[str, Any]:
    found = {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": _now()}
    return found | ({"message": message} if message else {})
