"""Egress gateways in a lab: another node takes over when one dies.

Which node is the gateway is part of the plan (:mod:`testbed.plan.egressgateway`), so a node's death
changes the plan, and the lab carries the difference out, as it does for an object. The nodes watch
each other (:mod:`testbed.lab.watch`) as long as there is a policy.

A node that gets an address says so to everybody on its link (gratuitous ARP), at once and then some
times more (:data:`testbed.lab.announce.TIMES`).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from functools import partial

from testbed.cluster.model import Cluster, Node
from testbed.kernel.executor import Executor
from testbed.lab import announce
from testbed.lab.rounds import Rounds
from testbed.lab.watch import Watch
from testbed.plan.model import Address, NamespacePlan, Plan

_NAME = "egress gateways"


class EgressGateways:
    """The gateways of a lab.

    Args:
        executor: Has the namespaces.
        watch: Knows which nodes live.
        nodes: The nodes.
        repair: Has the lab do without these nodes; called in a thread of its own.
    """

    def __init__(
        self,
        executor: Executor,
        watch: Watch,
        nodes: tuple[Node, ...],
        repair: Callable[[frozenset[str]], None],
    ) -> None:
        self._executor, self._watch, self._repair = executor, watch, repair
        self._nodes = nodes
        self._plan, self._dead = Plan(), frozenset[str]()
        self._rounds = Rounds(_NAME, self._round)
        self._wanted = self._started = False
        watch.listen(self._rounds.wake)

    def start(self) -> None:
        """Lets nodes watch each other, if there is a policy; routes must be there.

        Raises:
            LabError: The kernel refuses something.
        """
        self._started = True
        self._watch.want(_NAME, self._wanted)
        self._rounds.flush()

    def enacted(self, plan: Plan, cluster: Cluster) -> None:
        """Tells what the lab has become.

        Args:
            plan: What is there.
            cluster: What it was planned for.
        """
        old, dead = self._plan, self._dead
        self._plan, self._dead = plan, cluster.dead
        self._wanted = bool(cluster.egress_policies)
        back = dead - cluster.dead
        fresh = {
            node: own - (frozenset() if node.name in back else _addresses(old, node))
            for node in self._nodes
            for own in [_addresses(plan, node)]
        }
        if old.namespaces and any(fresh.values()):
            threading.Thread(target=self._announce, args=(fresh,), name=_NAME, daemon=True).start()
        if self._started:
            self._watch.want(_NAME, self._wanted)
            self._rounds.wake()

    def _round(self) -> None:
        if self._wanted:
            self._repair(frozenset(node.name for node in self._nodes) - self._watch.alive)

    def _announce(self, fresh: Mapping[Node, frozenset[Address]]) -> None:
        for _ in range(announce.TIMES):
            for node, some in fresh.items():
                for item in some & _addresses(self._plan, node):
                    with contextlib.suppress(OSError):  # the link is down: nobody hears it
                        say = partial(announce.say, {item.device: item.address})
                        self._executor.within(node.namespace, say)
            threading.Event().wait(announce.AGAIN)


def _addresses(plan: Plan, node: Node) -> frozenset[Address]:
    """The addresses that a node has for those outside."""
    part = plan.namespaces.get(node.namespace, NamespacePlan())
    return frozenset(item for item in part.addresses if item.device == node.device)
