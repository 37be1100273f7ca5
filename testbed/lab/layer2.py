"""L2 mode: one node answers ARP for each load balancer's address, as MetalLB's speakers do.

One thread serves the packet sockets of all nodes. The nodes watch each other
(:mod:`testbed.lab.watch`) as long as there is an address to answer for. A node that takes an
address over tells everybody, at once and then some times more (:data:`testbed.lab.announce.TIMES`).

A node that dies is noticed after :data:`testbed.lab.members.DEAD_AFTER` seconds.
"""

from __future__ import annotations

import os
import selectors
import sys
import threading
from collections.abc import Callable, Mapping
from time import monotonic

from testbed.cluster.announcers import answering
from testbed.cluster.model import Cluster
from testbed.errors import LabError
from testbed.kernel.executor import Executor
from testbed.lab.announce import AGAIN, TIMES
from testbed.lab.arp import Responder, packed
from testbed.lab.watch import Watch
from testbed.plan.loadbalancer import protocol

_PATIENCE = 30  # seconds; it takes milliseconds


class Layer2:
    """The nodes' answers.

    Args:
        executor: Has the namespaces.
        cluster: The lab's.
        watch: Knows which nodes live.
    """

    def __init__(self, executor: Executor, cluster: Cluster, watch: Watch) -> None:
        self._watch = watch
        self._executor, self._nodes = executor, protocol(cluster).speaking(cluster)
        self._eligible: Mapping[str, tuple[str, ...]] = {}
        self._waker = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector = selectors.DefaultSelector()
        self._responders: dict[str, Responder] = {}
        self._announcing: list[tuple[float, int, str, bytes]] = []
        self._settled = threading.Event()
        self._alive = watch.alive
        watch.listen(self._wake)

    def announce(self, eligible: Mapping[str, tuple[str, ...]]) -> None:
        """Has nodes answer for these addresses, and waits until they do.

        Raises:
            LabError: A node has no such device, or the answers do not change.
        """
        if not eligible and not self._responders:
            return  # nothing to be done, and no thread for it
        self._eligible = eligible
        self._settled.clear()
        self._watch.want("layer 2", bool(eligible))
        if not self._responders:
            self._start()
        self._wake()
        if not self._settled.wait(_PATIENCE):
            raise LabError("layer 2: nodes do not answer for what they shall (see the lab's log)")

    def _wake(self) -> None:
        os.eventfd_write(self._waker, 1)

    def _start(self) -> None:
        self._responders = {n.name: Responder(self._executor, n) for n in self._nodes}
        watch = self._selector.register
        watch(self._waker, selectors.EVENT_READ, lambda: os.eventfd_read(self._waker))
        for responder in self._responders.values():
            watch(responder.socket, selectors.EVENT_READ, responder.answer)
        threading.Thread(target=self._run, name="layer 2", daemon=True).start()

    def _run(self) -> None:
        while True:
            now = monotonic()
            self._say_again(now)
            later = [when for when, *_ in self._announcing]
            for key, _ in self._selector.select(min(later) - now if later else None):
                self._serve(key.data)
            told = self._eligible
            self._elect(told)
            if told is self._eligible:
                self._settled.set()

    @staticmethod
    def _serve(handle: Callable[[], object]) -> None:
        try:
            handle()
        except OSError as error:  # one node's link: the others go on
            print(f"layer 2: {error}", file=sys.stderr, flush=True)

    def _elect(self, eligible: Mapping[str, tuple[str, ...]]) -> None:
        """Has each address answered for by the node whose turn it is."""
        alive = self._watch.alive
        chosen = answering(eligible, alive)
        for name, responder in self._responders.items():
            # Who hears of nobody takes itself for the only one that lives, as memberlist does.
            own = chosen if name in alive else answering(eligible, {name})
            mine = frozenset(packed(a) for a, node in own.items() if node == name)
            had = responder.addresses if name not in alive or name in self._alive else frozenset()
            fresh, responder.addresses = mine - had, mine  # who is back says all again
            now = monotonic()
            self._announcing += [(now, TIMES, name, address) for address in sorted(fresh)]
        self._alive = alive
        self._say_again(monotonic())

    def _say_again(self, now: float) -> None:
        """Announcements whose time has come, and when they come again."""
        due = [item for item in self._announcing if item[0] <= now]
        self._announcing = [item for item in self._announcing if item[0] > now]
        for _, times, name, address in due:
            responder = self._responders[name]
            if address in responder.addresses:
                responder.announce([address])
                if times > 1:
                    self._announcing.append((now + AGAIN, times - 1, name, address))
