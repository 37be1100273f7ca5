"""What the lab daemon tells this process, and what comes of it.

Messages of :mod:`testbed.lab.protocol`, each an object with one key:

``{"changes": [[plural, object], [plural, [namespace, name], version], …]}``
    Objects that were made or changed, with their ``resourceVersion``, and objects that are gone.
``{"ready": version}``
    What was told up to now is the whole state. Nothing is answered before it.
``{"listen": kind}``
    A door (:class:`testbed.api.guard.Door`), with the listening socket's descriptor, and for
    ``loopback`` that of ``/proc/net/tcp``.

A thread reads them, because descriptors come with them. It waits until a message has had its effect
before it reads the next, so nothing piles up here.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import sys
import threading
from typing import Any

from testbed.api.guard import Door
from testbed.api.kinds import served
from testbed.api.server import Api
from testbed.api.store import Store
from testbed.kernel import syscalls
from testbed.lab import protocol

_MOST_LOGGED = 1000


def main(descriptor: int) -> None:
    """Serves until the lab daemon is gone.

    Args:
        descriptor: Of the socket on which the daemon tells what there is.
    """
    syscalls.set_process_name("testbed-api")
    _log()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_serve(socket.socket(fileno=descriptor)))


def _log() -> None:
    """Errors go to standard error, but not so many that they fill the lab's memory."""
    handler = logging.StreamHandler(sys.stderr)
    left = iter(range(_MOST_LOGGED))
    handler.addFilter(lambda _: next(left, None) is not None)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


async def _serve(feed: socket.socket) -> None:
    api, loop, end = Api(Store.of(served())), asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        try:
            while True:
                message, descriptors = protocol.receive(feed)
                work = _take(api, message, descriptors)
                asyncio.run_coroutine_threadsafe(work, loop).result()
        except (EOFError, OSError):
            loop.call_soon_threadsafe(end.set)

    threading.Thread(target=read, name="feed", daemon=True).start()
    await end.wait()


async def _take(api: Api, message: dict[str, Any], descriptors: list[int]) -> None:
    """Does what a message says."""
    store = api.store
    for change in message.get("changes", ()):
        if len(change) == 2:
            store.put(*change)
        else:
            plural, (namespace, name), version = change
            store.remove(plural, (namespace, name), version)
    if "ready" in message:
        store.begin(message["ready"])
    if "listen" in message:
        listener, *table = descriptors
        listening = socket.socket(fileno=listener)
        listening.setblocking(False)
        await api.open(Door(message["listen"], listening, *table))
    api.tell()
