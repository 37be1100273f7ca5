"""A node with kube-proxy and one with this project's proxy mode, and whether they agree.

As a program it puts random clusters through both, for places where pytest is not, like a virtual
machine, and prints what is wrong as JSON, a list of messages; how far it is, to stderr::

    python tests/fidelitypair.py ipvs SEEDS STEPS
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import fidelitynode
from fidelitynode import OurNode, RealNode
from fidelityrules import Form, difference, with_newer_comments, without_unready
from randomclusters import History, empty

from testbed.cluster.backends import Statuses
from testbed.cluster.model import Cluster
from testbed.go import build
from testbed.proxy.kubeproxy import BackEnd

PROTOCOLS = ("TCP", "TCP", "UDP", "SCTP")


class Pair:
    """A node with kube-proxy and one with ours; one thread works on both.

    Args:
        mode: Name of the mode, ours and kube-proxy's.
        cluster: The first cluster.
        renames: Whether ports of Services get other names.
        settings: Of both, where they are not the default ones.
    """

    def __init__(
        self, mode: BackEnd, cluster: Cluster, renames: bool = False, **settings: str
    ) -> None:
        self.mode, self.cluster, self._renames = mode, cluster, renames
        self._node = fidelitynode.proxy_node_of(self.cluster, mode, settings)
        self._pool = ThreadPoolExecutor(1)
        program = build.find("kube-proxy") or build.build(build.FOLDERS / "kube-proxy")
        self._real = self._pool.submit(RealNode, self._node, mode, program).result()
        self._ours = self._pool.submit(OurNode, self._node, mode).result()

    def become(self, cluster: Cluster, statuses: Statuses, title: str, fresh: bool = False) -> None:
        """Programs a cluster on both nodes and compares them.

        Args:
            cluster: The cluster.
            statuses: How its pods do.
            title: What it is, for messages.
            fresh: Whether to program it on a third node, too, from nothing.
        """
        self._pool.submit(self._become, cluster, statuses, title, fresh).result()

    def _become(self, cluster: Cluster, statuses: Statuses, title: str, fresh: bool) -> None:
        found = self._real.become(cluster, statuses)
        self._ours.become(found)
        ours = fidelitynode.form(self._ours, self.mode)
        real = fidelitynode.form(self._real, self.mode)
        wrong = self._difference(real, ours)
        assert not wrong, f"{title}, changed:\n{wrong}\n{_objects(cluster)}"
        if fresh:
            new = OurNode(self._node, self.mode)
            new.become(found)
            wrong = self._difference(real, fidelitynode.form(new, self.mode))
            new.close()
            assert not wrong, f"{title}, from nothing:\n{wrong}\n{_objects(cluster)}"

    def _difference(self, real: Form, ours: Form) -> str:
        if self._renames:
            real = with_newer_comments(real, ours)
        if self.mode == "ipvs":
            real = without_unready(real, ours)
        return difference(real, ours)

    def sysctls(self) -> tuple[dict[str, str], dict[str, str]]:
        """The kernel parameters of kube-proxy's node and of ours."""
        return self._pool.submit(lambda: (self._real.sysctls(), self._ours.sysctls())).result()

    def close(self) -> None:
        self._pool.submit(self._real.close).result()
        self._pool.submit(self._ours.close).result()
        self._pool.shutdown()


def _objects(cluster: Cluster) -> str:
    """The objects, a line each; JSON is YAML."""
    services = (bound.service.manifest for bound in cluster.services.values())
    items = [*services, *(item.manifest for item in cluster.endpoint_slices.values())]
    return "\n".join(json.dumps(item) for item in items)


def random_clusters(pair: Pair, seed: int, steps: int) -> None:
    """Puts the clusters of a history through both nodes.

    Args:
        pair: The nodes, as the history before has left them.
        seed: Of the history.
        steps: How many clusters.
    """
    history = History(seed, pair.cluster, PROTOCOLS)
    for number, (cluster, statuses) in enumerate(history.steps(steps)):
        pair.cluster = cluster
        pair.become(cluster, statuses, f"seed {seed}, cluster {number}", number == steps - 1)


def main(argv: Sequence[str]) -> int:
    """Prints what is wrong with a mode; the exit code is 1 if something is."""
    mode, seeds, steps = argv[0], int(argv[1]), int(argv[2])
    pair, wrong = Pair(cast(BackEnd, mode), empty(), renames=True), []
    try:
        for seed in range(seeds):
            try:
                random_clusters(pair, seed, steps)
            except AssertionError as error:
                wrong.append(str(error))
            print(f"seed {seed}: {len(wrong)} wrong", file=sys.stderr, flush=True)
    finally:
        pair.close()
    print(json.dumps(wrong, indent=1))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
