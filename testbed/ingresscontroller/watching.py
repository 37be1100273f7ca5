"""The objects of one kind as the API has them: listed, then watched, listed again when need be.

What client-go's Reflector does (``tools/cache/reflector.go``): a list, then watches from the last
version that was seen; after an error of the watch (410: too long ago) a list again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp

from testbed.ingresscontroller.log import log
from testbed.objects import Object, Source
from testbed.objects.kind import Kind

Key = tuple[str, str]
_FIRST, _MOST = 0.05, 1.0  # seconds until the API is asked again: it tells nobody that it is back
_SILENT = 120.0  # seconds without a word, when bookmarks come each minute


class TooOld(Exception):
    """The API does not know any more what has changed since; all must be listed again."""


class Watch:
    """All objects of a kind.

    Args:
        session: Has the API's address.
        kind: The kind.
        changed: Called after each change.

    Attributes:
        objects: By namespace and name, with the time of creation that the API tells.
        version: The API's, up to which they are known.
        listed: Set once they are known at all.
    """

    def __init__(
        self, session: aiohttp.ClientSession, kind: Kind, changed: Callable[[], None]
    ) -> None:
        self._session, self._kind, self._changed = session, kind, changed
        group = "api" if "/" not in kind.api_version else "apis"
        self._path = f"/{group}/{kind.api_version}/{kind.plural}"
        self.objects: dict[Key, tuple[str, Object]] = {}
        self.version = 0
        self.listed = asyncio.Event()

    async def run(self) -> None:
        """Follows the API for ever."""
        wait = _FIRST
        while True:
            try:
                if not self.listed.is_set():
                    await self._list()
                wait = _FIRST
                await self._watch()
            except TooOld:
                self.listed.clear()
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError) as error:
                if wait == _MOST / 2:
                    log(f"{self._kind.plural}: the API does not answer: {error!r}")
                await asyncio.sleep(wait)
                wait = min(2 * wait, _MOST)

    async def _list(self) -> None:
        async with self._session.get(self._path) as answer:
            answer.raise_for_status()
            found = await answer.json()
        self.objects = {}
        for item in found["items"]:
            self._put(item)
        self._seen(found["metadata"]["resourceVersion"])
        self.listed.set()

    async def _watch(self) -> None:
        query = {"watch": "1", "resourceVersion": str(self.version), "allowWatchBookmarks": "true"}
        async with self._session.get(self._path, params=query) as answer:
            if answer.status == 410:
                raise TooOld
            answer.raise_for_status()
            async for line in _lines(answer.content):
                self._take(json.loads(line))

    def _take(self, event: dict[str, Any]) -> None:
        kind, item = event["type"], event["object"]
        if kind == "ERROR":
            raise TooOld
        if kind == "DELETED":
            self.objects.pop(_key(item), None)
        elif kind != "BOOKMARK":
            self._put(item)
        self._seen(item["metadata"]["resourceVersion"])

    def _put(self, item: dict[str, Any]) -> None:
        try:
            made = self._kind.decode(item, Source("the API", None, None))
        except (KeyError, ValueError, TypeError) as error:
            log(f"{self._kind.kind} {'/'.join(_key(item))} cannot be read: {error!r}")
            self.objects.pop(_key(item), None)
        else:
            self.objects[_key(item)] = item["metadata"].get("creationTimestamp", ""), made

    def _seen(self, version: str) -> None:
        self.version = int(version)
        self._changed()


def _key(item: dict[str, Any]) -> Key:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """The lines of a stream, of any length."""
    parts: list[bytes] = []
    while True:
        piece = await asyncio.wait_for(content.readany(), _SILENT)
        if not piece:
            return
        first, *others = piece.split(b"\n")
        parts.append(first)
        for other in others:
            yield b"".join(parts)
            parts = [other]
