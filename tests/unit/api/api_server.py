"""A running API without a lab: the server in a thread, on a port of 127.0.0.1."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from api_builders import Json

from testbed.api.guard import Door
from testbed.api.server import Api
from testbed.api.store import Store

SECONDS = 20.0


class Running:
    """A server that runs, and a client of it.

    Args:
        store: What it serves.
        door: Makes the door of a listening socket.
        bookmarks: Seconds between bookmarks.
    """

    def __init__(
        self, store: Store, door: Callable[[socket.socket], Door], bookmarks: float = 60.0
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.api = Api(store, bookmarks)
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = listener.getsockname()[1]
        self.door = door(listener)
        asyncio.run_coroutine_threadsafe(self.api.open(self.door), self._loop).result(SECONDS)

    def change(self, work: Callable[[Store], None]) -> None:
        """Changes the store as the feed does."""

        async def do() -> None:
            work(self.api.store)
            self.api.tell()

        asyncio.run_coroutine_threadsafe(do(), self._loop).result(SECONDS)

    def connect(self) -> socket.socket:
        """A connection without anything sent."""
        return socket.create_connection(("127.0.0.1", self.port), SECONDS)

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, Any]:
        """Status and JSON (or text) of a request."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            client.request(method, path, headers=headers)
            answer = client.getresponse()
            body = answer.read()
        finally:
            client.close()
        kind = answer.headers.get_content_type()
        return answer.status, json.loads(body) if kind == "application/json" else body.decode()

    @contextmanager
    def watch(self, path: str, **headers: str) -> Iterator[Iterator[Json]]:
        """The events of a watch."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            client.request("GET", path, headers=headers)
            answer = client.getresponse()
            assert answer.status == 200, answer.read()
            yield (json.loads(line) for line in answer)
        finally:
            client.close()

    def end(self) -> None:
        """Stops it."""

        async def close() -> None:
            await self.api.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        self._loop.close()
