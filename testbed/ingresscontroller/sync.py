"""From what the API has to what the proxy serves, again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from testbed.ingress import tls
from testbed.ingress.classes import chosen
from testbed.ingress.contract import Controller, Setting, digest
from testbed.ingress.model import Key, Problem, Routing, State
from testbed.ingress.routing import routing
from testbed.ingresscontroller.log import log
from testbed.ingresscontroller.proxy import Proxy, Refused
from testbed.ingresscontroller.status import Served, Status
from testbed.ingresscontroller.watching import Watch

INTERVAL = 0.1
"""Seconds from the beginning of one reload to that of the next, at least. ingress-nginx has 3.3 s,
but takes endpoints without a reload."""


class Sync:
    """Keeps a proxy up to date.

    Args:
        controller: What the proxy is.
        setting: Where it runs.
        watches: Plural → what is watched.
        status: Is told what is served.
        changed: Set when something has changed.
    """

    def __init__(
        self,
        controller: Controller,
        setting: Setting,
        watches: Mapping[str, Watch],
        status: Status,
        changed: asyncio.Event,
    ) -> None:
        self._controller, self._setting, self._watches = controller, setting, watches
        self._status, self._changed = status, changed
        self._own = tls.own(datetime.now(UTC))
        self._digest = ""
        self._told: frozenset[Problem] = frozenset()
        self.proxy = Proxy(controller, setting)

    async def run(self) -> None:
        """Does so for ever, once all kinds are known."""
        for watch in self._watches.values():
            await watch.listed.wait()
        while True:
            self._changed.clear()
            pause = asyncio.create_task(asyncio.sleep(INTERVAL))
            versions = {plural: watch.version for plural, watch in self._watches.items()}
            error = await self._round(state(self._watches), versions)
            if error:
                log(f"refused, and what was served before is still served: {error}")
            await asyncio.gather(pause, self._changed.wait())

    async def _round(self, now: State, versions: Mapping[str, int]) -> str:
        """Brings the proxy up to date; why that cannot be, or an empty text."""
        found = await asyncio.to_thread(self._routing, now)
        error, mark = "", digest(found, self._own, self._setting)
        if mark != self._digest:
            try:
                await self._load(found, mark)
            except Refused as refused:
                error = str(refused)
        ours, _ = chosen(now, self._controller.controllers, self._controller.usual)
        served: list[Key] = [item.metadata.key for item in ours]
        self._status.tell(Served(versions, tuple(served), error))
        return error

    async def _load(self, found: Routing, mark: str) -> None:
        files = await asyncio.to_thread(self._controller.files, found, self._own, self._setting)
        await self.proxy.load(files, mark)
        self._digest = mark
        log(f"serves {len(found.sites) - 1} hosts, {len(found.upstreams)} backends ({mark[:8]})")
        for problem in found.problems:
            if problem not in self._told:
                log(str(problem))
        self._told = frozenset(found.problems)

    def _routing(self, now: State) -> Routing:
        mine = self._controller
        moment = datetime.now(UTC)
        return routing(now, mine.controllers, mine.usual, moment, understood=mine.annotations)


def state(watches: Mapping[str, Watch]) -> State:
    """What is watched, as :mod:`testbed.ingress` wants it: the oldest first."""

    def ordered(plural: str) -> tuple[Any, ...]:
        found = sorted((when, key, item) for key, (when, item) in _items(watches, plural))
        return tuple(item for _, _, item in found)

    def named(plural: str) -> dict[Key, Any]:
        return {key: item for key, (_, item) in _items(watches, plural)}

    slices = tuple(item for _, (_, item) in sorted(_items(watches, "endpointslices"), key=_first))
    return State(
        ordered("ingresses"),
        ordered("ingressclasses"),
        named("services"),
        slices,
        named("secrets"),
    )


def _items(watches: Mapping[str, Watch], plural: str) -> list[tuple[Key, tuple[str, Any]]]:
    return cast("list[tuple[Key, tuple[str, Any]]]", list(watches[plural].objects.items()))


def _first(item: tuple[Key, Any]) -> Key:
    return item[0]
