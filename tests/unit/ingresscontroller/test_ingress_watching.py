"""The controller's view of the API: lists, watches, errors; the order of objects; who waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from testbed.ingresscontroller.status import Served, Status
from testbed.ingresscontroller.sync import state
from testbed.ingresscontroller.watching import Watch
from testbed.objects import SERVED

CLASSES = SERVED["networking.k8s.io/v1", "IngressClass"]
KINDS = {kind.plural: kind for kind in SERVED.values()}
PATH = "/apis/networking.k8s.io/v1/ingressclasses"
SECONDS = 20
Json = dict[str, Any]


def one(name: str, version: int, created: str = "2026-01-01T00:00:00Z", note: str = "") -> Json:
    """An IngressClass as the API has it."""
    meta = {"name": name, "resourceVersion": str(version), "creationTimestamp": created}
    meta |= {"annotations": {"note": note}} if note else {}  # type: ignore[dict-item]
    return {"metadata": meta, "spec": {"controller": "example.com/x"}}


class Api:
    """An API whose answers the test says: lists, and the lines of each watch."""

    def __init__(self, lists: list[Json | int], watches: list[list[Json] | int]) -> None:
        self.lists, self.watches, self.asked = lists, watches, list[str]()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answers; a watch that has nothing more to say stays open."""
        self.asked.append(request.query.get("resourceVersion", "list"))
        queue: list[Any] = self.watches if "watch" in request.query else self.lists
        found = queue.pop(0) if queue else []
        if isinstance(found, int):
            return web.Response(status=found)
        if isinstance(found, dict):
            return web.json_response(found)
        answer = web.StreamResponse()
        await answer.prepare(request)
        text = b"".join(json.dumps(line).encode() + b"\n" for line in found)
        for start in range(0, len(text), 100_001):
            await answer.write(text[start : start + 100_001])
        if not found or found[-1]["type"] != "ERROR":
            await asyncio.sleep(SECONDS if not self.watches else 0)
        return answer


def listed(version: int, *items: Json) -> Json:
    return {"metadata": {"resourceVersion": str(version)}, "items": list(items)}


def watched(api: Api, version: int) -> Watch:
    """A watch of this API once it has seen a version."""

    async def run() -> Watch:
        application = web.Application()
        application.router.add_get(PATH, api.handle)
        changed = asyncio.Event()
        async with TestServer(application) as server, aiohttp.ClientSession(
            str(server.make_url("/"))
        ) as session:  # fmt: skip
            watch = Watch(session, CLASSES, changed.set)
            task = asyncio.create_task(watch.run())
            async with asyncio.timeout(SECONDS):
                while watch.version < version:
                    await changed.wait()
                    changed.clear()
            task.cancel()
            return watch

    return asyncio.run(run())


def test_a_list_and_what_changes_after_it() -> None:
    events = [
        {"type": "ADDED", "object": one("c", 6)},
        {"type": "MODIFIED", "object": one("a", 7, note="x" * 300_000)},
        {"type": "DELETED", "object": one("b", 8)},
        {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}},
    ]
    api = Api([listed(5, one("a", 3), one("b", 4))], [events])
    found = watched(api, 9)
    assert [key[1] for key in found.objects] == ["a", "c"]
    assert len(found.objects["", "a"][1].metadata.annotations["note"]) == 300_000
    assert api.asked == ["list", "5"]


@pytest.mark.parametrize(
    "too_old", [410, [{"type": "ERROR", "object": {"kind": "Status", "code": 410}}]]
)
def test_what_is_too_old_is_listed_again(too_old: Any) -> None:
    api = Api([listed(5, one("a", 3)), listed(20, one("b", 19))], [too_old])
    found = watched(api, 20)
    assert [key[1] for key in found.objects] == ["b"]
    assert api.asked[:3] == ["list", "5", "list"]


def test_an_api_that_is_away_is_asked_again_and_a_watch_goes_on_where_it_was() -> None:
    first, second = (
        [{"type": "ADDED", "object": one(name, v)}] for name, v in (("b", 6), ("c", 7))
    )
    api = Api([503, 500, listed(5, one("a", 3))], [first, 503, second])
    found = watched(api, 7)
    assert [key[1] for key in found.objects] == ["a", "b", "c"]
    assert api.asked == ["list", "list", "list", "5", "6", "6"]


def test_the_oldest_is_first() -> None:
    watches = {}
    for plural, kind in KINDS.items():
        watch = watches[plural] = Watch(None, kind, lambda: None)  # type: ignore[arg-type]
        if plural == "ingressclasses":
            for item in (one("b", 1, "2026-01-02T00:00:00Z"), one("c", 2), one("a", 3)):
                watch._put(item)
    names = [found.metadata.name for found in state(watches).classes]
    assert names == ["a", "c", "b"]


def asked(status: Status, use: Callable[[aiohttp.ClientSession], Awaitable[None]]) -> None:
    """Asks a status over HTTP."""

    async def run() -> None:
        application = web.Application()
        application.router.add_get("/healthz", status._healthz)
        application.router.add_get("/served", status._wait)
        async with TestServer(application) as server, aiohttp.ClientSession(
            str(server.make_url("/"))
        ) as session:  # fmt: skip
            async with asyncio.timeout(SECONDS):
                await use(session)

    asyncio.run(run())


def test_who_asks_waits_until_all_kinds_are_served() -> None:
    async def use(session: aiohttp.ClientSession) -> None:
        async with session.get("/healthz") as answer:
            assert answer.status == 500
        waiting = asyncio.create_task(session.get("/served?ingresses=5&services=9"))
        status.tell(Served({"ingresses": 5, "services": 8}, error="refused"))
        async with session.get("/healthz") as answer:
            assert answer.status == 500
        status.tell(Served({"ingresses": 4, "services": 9}))
        async with session.get("/healthz") as answer:
            assert answer.status == 200
        assert not waiting.done()
        status.tell(Served({"ingresses": 5, "services": 9}, (("default", "shop"),)))
        async with await waiting as answer:
            assert await answer.json() == {"ingresses": [["default", "shop"]], "error": ""}
        async with session.get("/served?ingresses=x") as answer:
            assert answer.status == 400

    status = Status()
    asked(status, use)
