"""The HTTP server: paths to answers, on aiohttp.

Everything that a client can make long (lists, watches) is written in pieces, each of which must be
read within :data:`testbed.api.guard.PATIENCE` seconds; so a connection holds a piece in memory and
no more. A watch is a version in the store's history (:mod:`testbed.api.store`), it has no queue.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable

from aiohttp import web

from testbed.api import accept, discovery, failures, guard, listing, paths, query, tables, watching
from testbed.api.failures import Failure
from testbed.api.query import Options
from testbed.api.store import Collection, Store, encode

BOOKMARKS = 60.0
"""Seconds between the bookmarks of a watch, as kube-apiserver has it."""

_HEALTH = ("/healthz", "/livez", "/readyz")
_LASTS = (
    1800,
    3600,
)  # seconds that a watch lasts if the client does not say (--min-request-timeout)
_CATCHING_UP = 3.0  # seconds for a version that the lab has told already, but not here
_PIECE = 1 << 16
_JSON = {"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
_LOG = logging.getLogger("testbed.api")


class Api:
    """The API of one lab.

    Args:
        store: The objects.
        bookmarks: Seconds between bookmarks.
    """

    def __init__(self, store: Store, bookmarks: float = BOOKMARKS) -> None:
        self.store, self.bookmarks = store, bookmarks
        self._news = asyncio.Event()
        self._servers: list[asyncio.Server] = []

    async def open(self, door: guard.Door) -> None:
        """Serves whoever comes through a door."""
        loop = asyncio.get_running_loop()
        manager = web.Server(self.handle, handler_cancellation=True)
        make = guard.factory(manager, door, loop)
        if door.kind == guard.OWNER:
            server = await loop.create_unix_server(make, sock=door.listener)
        else:
            server = await loop.create_server(make, sock=door.listener)
        self._servers.append(server)

    async def close(self) -> None:
        """Serves nobody any more."""
        for server in self._servers:
            server.close()

    def tell(self) -> None:
        """Wakes whoever waits for news in the store."""
        self._news.set()
        self._news = asyncio.Event()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answers a request."""
        try:
            return await self._answer(request)
        except Failure as failure:
            return guard.response(failure)
        except ConnectionError:
            raise
        except Exception:
            _LOG.exception("%s %s", request.method, request.path[:200])
            if request.writer.output_size > 0:
                raise ConnectionError from None
            return guard.response(failures.internal())

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path.rstrip("/")
        if path.startswith(_HEALTH) and request.method in {"GET", "HEAD"}:
            return web.Response(text="ok")
        header = ",".join(request.headers.getall("Accept", []))
        try:
            target = paths.target(path)
        except Failure:
            found = _document(path, header)
            if request.method == "GET":
                return found
            raise failures.no_method() from None
        if request.method != "GET":
            raise failures.no_method()
        return await self._objects(request, target, accept.form(header))

    async def _objects(
        self, request: web.BaseRequest, target: paths.Target, form: accept.Form
    ) -> web.StreamResponse:
        collection = self.store.collections[target.kind.plural]
        writer = tables.Writer(target.kind, form, request.query.get("includeObject", ""))
        asked = query.options(request.query, target)
        await self._catch_up(asked)
        if asked.watch:
            return await self._watch(request, collection, asked, writer)
        if target.name is None:
            page = listing.page(collection, self.store.version, asked)
            return await self._write(request, writer.many(page))
        if target.key not in collection.objects:
            raise failures.not_found(target.kind.plural, target.kind.group, target.name)
        body = writer.one(collection.objects[target.key]) + b"\n"
        return web.Response(body=body, headers=_JSON)

    async def _catch_up(self, asked: Options) -> None:
        """Waits for a version that is not there yet, but will be in a moment."""
        if not asked.version or (asked.watch and not watching.begins_with_state(asked)):
            return
        try:
            async with asyncio.timeout(_CATCHING_UP):
                while self.store.version < asked.version:
                    await self._news.wait()
        except TimeoutError:
            raise failures.too_new(asked.version, self.store.version) from None

    async def _write(self, request: web.BaseRequest, parts: Iterable[bytes]) -> web.StreamResponse:
        response = web.StreamResponse(headers=_JSON)
        await response.prepare(request)
        await _send(request, response, parts)
        return response

    async def _watch(
        self,
        request: web.BaseRequest,
        collection: Collection,
        asked: Options,
        writer: tables.Writer,
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers=_JSON)
        await response.prepare(request)
        try:
            await _Watch(self, collection, asked, writer).run(request, response)
        except Failure as failure:
            line = encode({"type": "ERROR", "object": failure.status()}) + b"\n"
            await _send(request, response, [line])
        return response

    async def news(self, seconds: float) -> bool:
        """Waits for news in the store; whether there are any in time."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        return True


def _document(path: str, header: str) -> web.Response:
    """What does not name objects: the version, and discovery."""
    form = accept.form(header, discovery.is_aggregated(path))
    found = discovery.version() if path == "/version" else discovery.document(path, form)
    headers = _JSON | {"Content-Type": form.content_type, "Vary": "Accept"}
    return web.Response(body=encode(found) + b"\n", headers=headers)


class _Watch:
    """One client's watch."""

    def __init__(
        self, api: Api, collection: Collection, asked: Options, writer: tables.Writer
    ) -> None:
        self._api, self._collection = api, collection
        self._asked, self._writer = asked, writer

    async def run(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Tells changes until the client has had enough.

        Raises:
            Failure: Changes are forgotten that the client has not been told (410).
        """
        clock = asyncio.get_running_loop().time
        seconds = self._asked.seconds
        end = clock() + (seconds or random.uniform(*_LASTS))  # noqa: S311
        version, initial = watching.start(self._collection, self._api.store.version, self._asked)
        writer, wanted = self._writer, self._asked.wanted
        await _send(request, response, (writer.event(*event) for event in initial))
        if self._asked.initial and self._asked.bookmarks:
            await _send(request, response, [self._bookmark(version, initial_end=True)])
        due = clock() + self._api.bookmarks
        while True:
            changes = self._collection.after(version)
            if changes:
                version = changes[-1].version
                told = (watching.told(change, wanted) for change in changes)
                await _send(request, response, (writer.event(*event) for event in told if event))
                continue
            version = max(version, self._api.store.version)
            now = clock()
            if self._asked.bookmarks and now >= min(due, end):
                await _send(request, response, [self._bookmark(version)])
                due = now + self._api.bookmarks
            if now >= end:
                return
            until = min(due, end) if self._asked.bookmarks else end
            await self._api.news(max(0.0, until - now))

    def _bookmark(self, version: int, *, initial_end: bool = False) -> bytes:
        item = watching.bookmark(self._collection, version, initial_end=initial_end)
        return self._writer.bookmark(item)


async def _send(
    request: web.BaseRequest, response: web.StreamResponse, parts: Iterable[bytes]
) -> None:
    """Writes parts as the client reads them, and gives up on one that does not.

    Raises:
        ConnectionError: It has not read for too long, or is gone.
    """
    piece = bytearray()
    for part in parts:
        piece += part
        if len(piece) >= _PIECE:
            await _push(request, response, bytes(piece))
            piece.clear()
    if piece:
        await _push(request, response, bytes(piece))


async def _push(request: web.BaseRequest, response: web.StreamResponse, piece: bytes) -> None:
    try:
        async with asyncio.timeout(guard.PATIENCE):
            await response.write(piece)
            await asyncio.sleep(0)  # others have their turn between pieces
    except TimeoutError:
        if request.transport is not None:
            guard.give_up(request.transport)
        raise ConnectionError("the client does not read") from None
