"""The kubelets of all nodes: the processes of the pods and their probes, in one event loop.

A pod whose containers run nothing (``pause``) costs nothing here: no process, no task, and no
namespaces but its network.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from testbed.cluster.backends import READY, PodStatus
from testbed.cluster.model import BoundPod
from testbed.kernel import join
from testbed.kubelet import podstatus
from testbed.kubelet.containers import Container
from testbed.kubelet.health import Health
from testbed.kubelet.probing import Prober, Site
from testbed.kubelet.programs import Program

Key = tuple[str, str]


class PodRuntime:
    """The containers of one pod.

    Args:
        bound: The pod with node and address.
        programs: What its init containers and its containers run.
        namespaces: Gives the descriptors of its namespaces.
        changed: Called at each change of a container.
        node: Gives the descriptor of its node's network namespace, from where probes ask; None is
            the process's own.
        site: Where all pods' probes ask from; None for one of its own.

    Attributes:
        bound: The pod with node and address.
        init: Its init containers.
        containers: Its containers.
        revision: Another one after each change of a container.
        status: How it does, for whoever makes endpoints.
        ready_since: Since when it is ready, or not; empty as long as it never was.
    """

    def __init__(
        self,
        bound: BoundPod,
        programs: tuple[list[Program], list[Program]],
        namespaces: Callable[[], join.Descriptors],
        changed: Callable[[], None],
        node: Callable[[], int | None] = lambda: None,
        site: Site | None = None,
    ) -> None:
        self.bound, self._changed = bound, changed
        self.revision, self.ready_since, self._leaving = object(), "", False
        self.task: asyncio.Task[None] | None = None
        spec, grace = bound.pod.spec, bound.pod.spec.termination_grace_period_seconds
        self.init, self.containers = (
            [Container(program, namespaces, self._note, grace) for program in part]
            for part in programs
        )
        self._lasting = podstatus.lasting(spec, self.init, self.containers)
        site = Site() if site is None else site
        declared = {c.name: c for c in (*spec.init_containers, *spec.containers)}
        for container in self._lasting:
            own, program = declared[container.program.name], container.program
            if own.readiness_probe or own.liveness_probe or own.startup_probe:
                prober = Prober(own, program, bound.address, namespaces, node, site)
                container.health = Health(prober, self._note, container.fail)
        self.status = self._status()

    def _note(self) -> None:
        """Tells of a change of a container."""
        self.revision, before, self.status = object(), self.status.ready, self._status()
        if before != self.status.ready:
            self.ready_since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._changed()

    def _status(self) -> PodStatus:
        if self._leaving:
            ended = not any(container.running for container in (*self.init, *self.containers))
        else:
            ended = self.phase in {"Succeeded", "Failed"}
        found = PodStatus(ready=self.ready, terminating=self._leaving, ended=ended)
        return READY if found == READY else found

    def leave(self) -> None:
        """The pod is being deleted: it is terminating, and serves as long as it is ready.

        To be called in the event loop, where its containers change.
        """
        self._leaving = True
        self._note()

    @property
    def phase(self) -> str:
        """``Pending``, ``Running``, ``Succeeded`` or ``Failed``."""
        return podstatus.phase(self.bound.pod.spec, self.init, self.containers)

    @property
    def idle(self) -> bool:
        """Whether none of its containers runs a process."""
        return all(c.program.argv is None for c in (*self.init, *self.containers))

    @property
    def ready(self) -> bool:
        """Whether all of its containers and sidecars are ready."""
        return not self.unready

    @property
    def unready(self) -> list[str]:
        """The names of its containers that are not ready, sidecars first."""
        return [container.program.name for container in self._lasting if not container.ready]

    @property
    def open(self) -> bool:
        """Whether it runs, is not ready, and no probe has said anything against it yet."""
        healths = (c.health for c in self._lasting if c.health is not None)
        return not self.ready and any(health.open for health in healths)

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
                if container.health is not None:
                    await container.health.until_started()
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
        site: Where the pods' probes ask from.
    """

    def __init__(self) -> None:
        self.pods: dict[Key, PodRuntime] = {}
        self.changed = threading.Condition()
        self.revision = object()
        self.listener: Callable[[], None] = lambda: None
        self.site = Site()
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

    def leave(self, keys: Iterable[Key]) -> None:
        """Marks pods as being deleted."""
        self._do(self._leave([self.pods[key] for key in keys]))

    @staticmethod
    async def _leave(pods: list[PodRuntime]) -> None:
        for pod in pods:
            pod.leave()

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

    def wait_settled(self, pods: Iterable[PodRuntime], seconds: float) -> None:
        """Waits until each pod is ready, or a probe of it has said that it is not."""
        pods = list(pods)
        with self.changed:
            self.changed.wait_for(lambda: not any(pod.open for pod in pods), seconds)

    def _unready(self) -> list[PodRuntime]:
        return [pod for pod in self.pods.values() if not (pod.ready or pod.done)]
