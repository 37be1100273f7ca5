"""What MetalLB's speakers do on each node, for all nodes of a lab: load balancers' addresses.

Which nodes may answer for an address follows from the Services and their endpoints as they are now
(:mod:`testbed.cluster.announcers`). In BGP mode the node's kernel gets a route to the address,
which its FRR tells its router of; in L2 mode one of the nodes that live answers ARP for it
(:mod:`testbed.lab.layer2`). What is planned for both: :mod:`testbed.plan.loadbalancer`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from testbed.cluster.announcers import eligible
from testbed.cluster.discovery import Discovery
from testbed.cluster.model import Cluster, Node
from testbed.kernel import netlink
from testbed.kernel.executor import Executor
from testbed.kernel.netns import NetNs
from testbed.lab.layer2 import Layer2
from testbed.lab.rounds import Rounds
from testbed.lab.watch import Watch
from testbed.plan.loadbalancer import expects, protocol
from testbed.plan.model import NextHop, Route

CONVERGENCE = 5.0
"""Seconds that routers have to learn of a change; whatever has failed is not waited for longer."""

SILENCE = 0.1
"""Seconds without news of routes after which all routers have done with a change."""

Eligible = Mapping[str, tuple[str, ...]]
"""Address → the nodes that may answer for it."""


class Speaker(Protocol):
    """How nodes tell what addresses they answer for."""

    def announce(self, eligible: Eligible) -> None:
        """Has nodes answer for these addresses, and for no others.

        Raises:
            LabError: The kernel refuses something.
        """


class Bgp:
    """Routes that FRR announces.

    Args:
        executor: Has the namespaces.
        cluster: The lab's.
        watch: Of no use: a session of BGP ends with its node.
    """

    def __init__(self, executor: Executor, cluster: Cluster, watch: Watch) -> None:
        self._executor, self._topology = executor, cluster.topology
        self._nodes = nodes = protocol(cluster).speaking(cluster)
        self._had: dict[str, frozenset[str]] = {node.name: frozenset() for node in nodes}

    def announce(self, eligible: Eligible) -> None:
        """Adds and deletes the routes that differ, and waits for the routers to know."""
        wanted = {
            node.name: frozenset(a for a, some in eligible.items() if node.name in some)
            for node in self._nodes
        }
        works = {
            node.namespace: partial(self._work, node, wanted[node.name])
            for node in self._nodes
            if wanted[node.name] != self._had[node.name]
        }
        if works:
            self._executor.inside(works)
            expected = expects(self._topology, eligible)
            self._executor.wait_for_routes(expected, CONVERGENCE, SILENCE)

    def _work(self, node: Node, wanted: frozenset[str], netns: NetNs) -> None:
        had = self._had[node.name]
        changes = [(address, True) for address in sorted(had - wanted)]
        changes += [(address, False) for address in sorted(wanted - had)]
        index = netns.index(node.device)
        netns.send(
            [
                (route, netlink.route(route, [index], delete=gone, replace=not gone))
                for address, gone in changes
                for route in [Route(f"{address}/32", (NextHop(device=node.device),), scope="link")]
            ]
        )
        self._had[node.name] = wanted


_PROTOCOLS: Mapping[str, Callable[[Executor, Cluster, Watch], Speaker]] = {
    "bgp": Bgp,
    "l2": Layer2,
}


class LoadBalancers:
    """The speakers of a lab.

    Args:
        cluster: The lab's, as it is when it starts.
        executor: Has the namespaces.
        discover: Finds the Services and endpoints as they are now.
        watch: Knows which nodes live.
    """

    def __init__(
        self,
        cluster: Cluster,
        executor: Executor,
        discover: Callable[[], Discovery],
        watch: Watch,
    ) -> None:
        self._discover = discover
        self._names = [node.name for node in protocol(cluster).speaking(cluster)]
        made = _PROTOCOLS.get(cluster.options.lb)
        self._speaker = made and made(executor, cluster, watch)
        self._rounds = Rounds("load balancers", self._round)

    def wake(self) -> None:
        """Has the speakers look at the Services; returns at once."""
        self._rounds.wake()

    def flush(self) -> None:
        """Has the speakers look at the Services, and waits until all of it is done.

        Raises:
            LabError: A kernel refuses something.
        """
        if self._speaker is not None:
            self._rounds.flush()

    def _round(self) -> None:
        if self._speaker is not None:
            self._speaker.announce(eligible(self._discover(), self._names))
