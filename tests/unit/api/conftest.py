"""A server for tests of the API; see ``api_server.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from api_builders import store
from api_server import Running

from testbed.api.guard import Door
from testbed.api.store import Store

Serve = Callable[..., Running]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers that end with the test: of a store, with the door's room and bookmarks."""
    with ExitStack() as stack:

        def start(held: Store | None = None, room: int = 256, bookmarks: float = 60.0) -> Running:
            made = Running(
                store("a", "b") if held is None else held,
                lambda listener: Door("node", listener, room=room),
                bookmarks,
            )
            stack.callback(made.end)
            return made

        yield start
