"""The kubelets of all nodes: the processes of the pods, in one event loop.

A pod whose containers run nothing (``pause``) costs nothing here: no process, no task, and no
namespaces but its network.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any

from testbed.cluster.model import BoundPod
from testbed.lab import join
from testbed.lab.containers import Container, Program

Key = tuple[str, str]


class PodRuntime:
    """The containers of one pod.

    Attributes:
        bound: The pod with node and address.
        init: Its init containers.
        containers: Its containers.
        revision: Another one after each change of a container's state.
    """

    def __init__(
        self,
        bound: BoundPod,
        programs: tuple[list[Program], list[Program]],
        namespaces: Callable[[], join.Descriptors],
        changed: Callable[[], None],
    ) -> None:
        self.bound = bound
        self.revision = object()

        def note() -> None:
            self.revision = object()
            changed()

        self.init, self.containers = (
            [Container(program, namespaces, note) for program in part] for part in programs
        )
        self.task: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Whether none of its containers runs a process."""
        return all(c.program.argv is None for c in (*self.init, *self.containers))

    @property
    def ready(self) -> bool:
        """Whether all of its containers run."""
        return all(container.running for container in self.containers)

    @property
    def done(self) -> bool:
        """Whether all containers have ended well and will not be started again (Succeeded)."""
        ended = (c.state.get("terminated", {}).get("exitCode") for c in self.containers)
        return self.bound.pod.spec.restart_policy != "Always" and all(e == 0 for e in ended)

    def mark_running(self) -> None:
        """Has the containers of an idle pod count as running."""
        for container in self.containers:
            container.mark_running()

    async def run(self) -> None:
        """Runs the init containers one after the other, then all containers."""
        policy = self.bound.pod.spec.restart_policy
        sidecars: list[asyncio.Task[int]] = []
        for container, spec in zip(self.init, self.bound.pod.spec.init_containers, strict=True):
            if spec.restart_policy == "Always":
                sidecars.append(asyncio.create_task(container.run("Always")))
            elif await container.run("Never" if policy == "Never" else "OnFailure") != 0:
                return
        runs = [asyncio.create_task(c.run(policy)) for c in self.containers]
        try:
            await asyncio.gather(*runs)
        finally:
            for task in (*runs, *sidecars):
                task.cancel()

    async def stop(self) -> None:
        """Ends all containers, within the pod's grace period."""
        if self.task is not None:
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task
        grace = self.bound.pod.spec.termination_grace_period_seconds
        await asyncio.gather(*(c.stop(grace) for c in (*self.init, *self.containers)))


class Kubelet:
    """Runs pods in an event loop of its own thread.

    Attributes:
        pods: Namespace and name → the pod's containers.
        changed: Notified (its lock is held) at each change of a container's state.
        revision: Another one after each such change.
        listener: Called after each, in whichever thread.
    """

    def __init__(self) -> None:
        self.pods: dict[Key, PodRuntime] = {}
        self.changed = threading.Condition()
        self.revision = object()
        self.listener: Callable[[], None] = lambda: None
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="kubelet", daemon=True).start()

    def notify(self) -> None:
        """Tells whoever waits that a state has changed."""
        self.revision = object()
        with self.changed:
            self.changed.notify_all()
        self.listener()

    def start(self, pods: Iterable[PodRuntime]) -> None:
        """Starts pods; returns when each process has been started once (or could not be)."""
        pods = list(pods)
        self._do(self._start(pods))

    async def _start(self, pods: list[PodRuntime]) -> None:
        for pod in pods:
            self.pods[pod.bound.key] = pod
            if pod.idle:
                pod.mark_running()
            else:
                pod.task = asyncio.create_task(pod.run())
        await asyncio.sleep(0)  # each task runs up to its first wait: the process is started

    def stop(self, keys: Iterable[Key]) -> None:
        """Ends pods, all at the same time, each within its grace period."""
        gone = [self.pods.pop(key) for key in keys if key in self.pods]
        self._do(self._stop(gone))

    @staticmethod
    async def _stop(pods: list[PodRuntime]) -> None:
        await asyncio.gather(*(pod.stop() for pod in pods))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def wait_ready(self, seconds: float) -> list[PodRuntime]:
        """Waits until every pod is ready or done; those that are not when the time is over."""
        with self.changed:
            self.changed.wait_for(lambda: not self._unready(), seconds)
            return self._unready()

    def _unready(self) -> list[PodRuntime]:
        return [pod for pod in self.pods.values() if not (pod.ready or pod.done)]
