"""Who watches whether nodes live: one thread for a lab, and those who want to know.

The nodes ask each other (:mod:`testbed.lab.members`) as long as somebody wants to know; whoever
listens is told by a call whenever a node has died or lives again. As long as nobody wants to know
all nodes are taken for alive, and there is no traffic.
"""

from __future__ import annotations

import os
import selectors
import sys
import threading
from collections.abc import Callable, Sequence
from time import monotonic

from testbed.cluster.model import Node
from testbed.kernel.executor import Executor
from testbed.lab.members import INTERVAL, Members


class Watch:
    """The nodes of a lab, as they hear of each other; its methods may be called by any thread.

    Args:
        executor: Has the namespaces.
        nodes: The nodes.

    Attributes:
        alive: The names of the nodes that live.
    """

    def __init__(self, executor: Executor, nodes: Sequence[Node]) -> None:
        self._executor, self._nodes = executor, nodes
        self._all = self.alive = frozenset(node.name for node in nodes)
        self._wanted: set[str] = set()
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._waker = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._members: Members | None = None

    def listen(self, listener: Callable[[], None]) -> None:
        """Has a function called when :attr:`alive` has changed; it must return soon."""
        self._listeners.append(listener)

    def want(self, who: str, wanted: bool = True) -> None:
        """Says that somebody wants to know, or does not any more.

        Raises:
            LabError: A node has no such address.
        """
        with self._lock:
            if wanted and not self._wanted:
                self._begin()
            self._wanted = self._wanted | {who} if wanted else self._wanted - {who}
        os.eventfd_write(self._waker, 1)

    def _begin(self) -> None:
        self.alive = self._all
        if self._members is not None:
            self._members.start()
            return
        self._members = Members(self._executor, self._nodes)
        threading.Thread(target=self._run, args=(self._members,), name="watch", daemon=True).start()

    def _run(self, members: Members) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._waker, selectors.EVENT_READ, lambda: os.eventfd_read(self._waker))
        for link in members.sockets:
            selector.register(link, selectors.EVENT_READ, lambda one=link: members.hear(one))
        asked = 0.0
        while True:
            wanted = bool(self._wanted)
            if wanted and monotonic() >= asked + INTERVAL:
                asked = monotonic()
                members.ask()
            for key, _ in selector.select(asked + INTERVAL - monotonic() if wanted else None):
                self._serve(key.data)
            self._look(members)

    @staticmethod
    def _serve(handle: Callable[[], object]) -> None:
        try:
            handle()
        except OSError as error:  # one node's link: the others go on
            print(f"watch: {error}", file=sys.stderr, flush=True)

    def _look(self, members: Members) -> None:
        with self._lock:
            alive = members.alive if self._wanted else self._all
            changed, self.alive = alive != self.alive, alive
        if changed:
            for listener in self._listeners:
                listener()
