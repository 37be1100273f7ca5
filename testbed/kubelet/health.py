"""How a container does, by its probes: asked by timers of the kubelets' event loop, while it runs.

A startup probe is asked until it is good, and the other two not before. One that is bad ends the
container, as a liveness probe does it; the pod's restart policy decides what comes then.
Source: ``pkg/kubelet/prober/worker.go``, ``prober_manager.go``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from testbed.kubelet.probing import Prober
from testbed.kubelet.readiness import Kind, Rhythm, Tally
from testbed.objects.probe import Probe


class Health:
    """The probes of one container.

    Args:
        prober: Asks what they ask.
        changed: Called when an attribute may have changed.
        failed: Called with the probe for which the container must be ended.

    Attributes:
        started: Whether it runs and its startup probe, if it has one, was good.
        ready: Whether it has started and its readiness probe, if it has one, is good.
    """

    def __init__(
        self, prober: Prober, changed: Callable[[], None], failed: Callable[[Probe], None]
    ) -> None:
        self._prober, self._changed, self._failed = prober, changed, failed
        self.started = self.ready = False
        self._problems: dict[Kind, str] = {}
        self._refused = False
        self._up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def open(self) -> bool:
        """Whether it is not ready yet, and nothing has been heard that speaks against it."""
        return self._task is not None and not self.ready and not self._refused

    @property
    def problems(self) -> list[str]:
        """What the last answers were that were not good."""
        return [f"{kind} probe: {said}" for kind, said in self._problems.items() if said]

    async def until_started(self) -> None:
        """Waits until the container has started."""
        await self._up.wait()

    def begin(self) -> None:
        """The container has started; the caller tells of the change."""
        self.end()
        spec = self._prober.container
        if spec.startup_probe is None:
            self._has_started()
        if spec.startup_probe or spec.readiness_probe or spec.liveness_probe:
            self._task = asyncio.create_task(self._run())

    def end(self) -> None:
        """The container does not run any more; the caller tells of the change."""
        self.started = self.ready = self._refused = False
        self._problems = {}
        self._up.clear()
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _has_started(self) -> None:
        self.started = True
        self.ready = self._prober.container.readiness_probe is None
        self._up.set()

    async def _run(self) -> None:
        loop, spec = asyncio.get_running_loop(), self._prober.container
        born, begin = loop.time(), 0.0
        if spec.startup_probe is not None:
            await self._start_up(spec.startup_probe, born)
            begin = loop.time() - born
        async with asyncio.TaskGroup() as group:
            if spec.readiness_probe is not None:
                group.create_task(self._follow_readiness(spec.readiness_probe, born, begin))
            if spec.liveness_probe is not None:
                group.create_task(self._watch_life(spec.liveness_probe, born, begin))

    async def _start_up(self, probe: Probe, born: float) -> None:
        async with aclosing(self._results("startup", probe, born, 0.0)) as results:
            async for good in results:
                if good:
                    break
                self._failed(probe)
                await asyncio.Event().wait()  # the container's end is this task's
        self._has_started()
        self._changed()

    async def _follow_readiness(self, probe: Probe, born: float, begin: float) -> None:
        async for good in self._results("readiness", probe, born, begin):
            self.ready = good
            self._changed()

    async def _watch_life(self, probe: Probe, born: float, begin: float) -> None:
        async for good in self._results("liveness", probe, born, begin):
            if not good:
                self._failed(probe)
                return

    async def _results(
        self, kind: Kind, probe: Probe, born: float, begin: float
    ) -> AsyncGenerator[bool, None]:
        """Asks again and again; each result that is another one than before."""
        loop = asyncio.get_running_loop()
        rhythm, tally = Rhythm(kind, probe, begin), Tally(kind, probe)
        due = rhythm.first
        while True:
            await asyncio.sleep(born + due - loop.time())
            answer = await self._prober.ask(probe)
            refused = kind != "liveness" and not (answer.good or rhythm.eager(due))
            self._note(kind, answer.said, refused=refused)
            if answer.good is not None and tally.take(answer.good):
                yield answer.good
            due = rhythm.after(due, loop.time() - born, good=bool(answer.good))

    def _note(self, kind: Kind, said: str, *, refused: bool) -> None:
        """Remembers what was said; whoever waits is told of the first answer that counts."""
        self._problems[kind] = said
        if refused and not self._refused:
            self._refused = True
            self._changed()
