"""Which nodes live: they ask each other over the underlay, as MetalLB's speakers do by memberlist.

Every node sends a datagram to a few others each second; who is asked, answers. A node that has
neither got an answer nor given one for :data:`DEAD_AFTER` seconds is dead, until it does again; to
itself it lives on (of two nodes, when one dies, neither hears of the other). The times are those of
HashiCorp's memberlist on a local network (``DefaultLANConfig``: a probe each second, half a second
for its answer, and four more seconds of suspicion), which is what MetalLB uses. What is not like
there: nodes know at once what others know, so there is no gossip, and of a network in two parts
both are alive as long as they have two nodes.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from time import monotonic

from testbed.cluster.model import Node
from testbed.kernel.executor import Executor

PORT = 7946
"""UDP, memberlist's."""

INTERVAL = 1.0
"""Seconds from a node's questions to its next ones."""

DEAD_AFTER = 0.5 + 4 * INTERVAL
"""Seconds of silence."""

_ASKED = 3  # other nodes, by each node
_QUESTION, _ANSWER = b"testbed ping", b"testbed pong"


class Members:
    """The nodes, as they hear of each other; for one thread.

    Args:
        executor: Has the namespaces.
        nodes: The nodes.
    """

    def __init__(self, executor: Executor, nodes: Sequence[Node]) -> None:
        self._nodes = list(nodes)
        self._by_address = {node.address: node.name for node in nodes}
        self.sockets = {
            executor.within(node.namespace, lambda n=node: _open(n)): node  # type: ignore[misc]
            for node in nodes
        }
        self._of = {node.name: link for link, node in self.sockets.items()}
        self._heard = dict.fromkeys(self._of, monotonic())

    def start(self) -> None:
        """Takes all nodes for alive, for a start."""
        self._heard = dict.fromkeys(self._of, monotonic())

    @property
    def alive(self) -> frozenset[str]:
        """The nodes that live; one that has nobody to ask does."""
        if len(self._nodes) == 1:
            return frozenset(self._of)
        earliest = monotonic() - DEAD_AFTER
        return frozenset(name for name, when in self._heard.items() if when > earliest)

    def ask(self) -> None:
        """Has every node ask others."""
        count = len(self._nodes)
        for i, node in enumerate(self._nodes):
            for step in range(1, min(_ASKED, count - 1) + 1):
                self._send(node.name, _QUESTION, self._nodes[(i + step) % count].address)

    def hear(self, link: socket.socket) -> None:
        """Takes what has come to a node."""
        name = self.sockets[link].name
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while True:
                data, (address, _) = link.recvfrom(64)
                sender = self._by_address.get(address)
                if sender is not None and data == _QUESTION:
                    self._send(name, _ANSWER, address)
                elif sender is not None and data == _ANSWER:
                    self._heard[name] = self._heard[sender] = monotonic()

    def _send(self, name: str, data: bytes, address: str) -> None:
        with contextlib.suppress(OSError):  # a node that cannot send is not heard of: that is all
            self._of[name].sendto(data, (address, PORT))


def _open(node: Node) -> socket.socket:
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.setblocking(False)
    link.bind((node.address, PORT))
    return link
