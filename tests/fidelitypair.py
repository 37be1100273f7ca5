"""A node with kube-proxy and one with this project's proxy mode, and whether they agree.

As a program it puts random clusters through both, for places where pytest is not, like a virtual
machine, and prints what is wrong as JSON, a list of messages; how far it is, to stderr::

    python tests/fidelitypair.py ipvs SEEDS STEPS     # histories of random clusters
    python tests/fidelitypair.py ipvs cases           # kube-proxy's own test cases
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import fidelitynode
import servicecases
from fidelitynode import OurNode, RealNode
from fidelityrules import Form, difference, with_newer_comments, without_unready
from randomclusters import History, empty

from testbed.cluster.backends import Statuses
from testbed.cluster.model import Cluster
from testbed.go import build
from testbed.objects import parse
from testbed.proxy.kubeproxy import BackEnd
from testbed.spec import apply, resolve

PROTOCOLS = ("TCP", "TCP", "UDP", "SCTP")
SERVICES = {"iptables": 12, "nftables": 12, "ipvs": 5}
"""How many a random cluster has, about: kube-proxy's ipvs starts a process for each entry of a set
that changes, in software emulation."""


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
        found = self._real.tell(cluster, statuses)
        self._ours.become(found)
        ours = fidelitynode.form(self._ours, self.mode)
        self._real.wait()
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
    history = History(seed, pair.cluster, PROTOCOLS, SERVICES[pair.mode])
    for number, (cluster, statuses) in enumerate(history.steps(steps)):
        pair.cluster = cluster
        pair.become(cluster, statuses, f"seed {seed}, cluster {number}", number == steps - 1)


def bare_of(mode: str) -> Cluster:
    """The cluster of kube-proxy's own test cases, without Services."""
    return resolve(servicecases.TOPOLOGY, proxy=mode).cluster


def cases(pair: Pair, group: servicecases.Group) -> None:
    """Puts kube-proxy's own test cases through both nodes: one after the other, and all at once.

    Args:
        pair: The nodes, with the group's settings.
        group: The cases.
    """
    bare, found = bare_of(pair.mode), servicecases.cases(group, pair.mode)
    texts = [case.manifest for case in found]
    for number, text in enumerate((*texts, "\n---\n".join(texts))):
        cluster = apply(bare, parse(text, group.name))
        pair.become(cluster, {}, f"{group.name}, case {number}", fresh=True)
        # The next may have the same node port, and kube-proxy would leave its comment.
        pair.become(bare, {}, f"{group.name}, after case {number}")


def main(argv: Sequence[str]) -> int:
    """Prints what is wrong with a mode; the exit code is 1 if something is."""
    mode, *what = argv
    jobs = _cases(cast(BackEnd, mode)) if what == ["cases"] else _random(cast(BackEnd, mode), *what)
    wrong = [message for message in jobs if message]
    print(json.dumps(wrong, indent=1))
    return 1 if wrong else 0


def _random(mode: BackEnd, seeds: str, steps: str) -> Iterator[str]:
    """What is wrong with each history."""
    pair = Pair(mode, empty(), renames=True)
    try:
        for seed in range(int(seeds)):
            yield _told(f"seed {seed}", lambda seed=seed: random_clusters(pair, seed, int(steps)))
    finally:
        pair.close()


def _cases(mode: BackEnd) -> Iterator[str]:
    """What is wrong with each group of cases."""
    for group in servicecases.GROUPS:
        if group.scenarios():
            chosen = dict(setting.split("=", 1) for setting in group.settings_for(mode))
            pair = Pair(mode, bare_of(mode), **chosen)
            try:
                yield _told(group.name, lambda pair=pair, group=group: cases(pair, group))
            finally:
                pair.close()


def _told(title: str, job: Callable[[], None]) -> str:
    """What is wrong; empty for nothing."""
    try:
        job()
        wrong = ""
    except AssertionError as error:
        wrong = str(error)
    print(f"{title}: {'wrong' if wrong else 'the same'}", file=sys.stderr, flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
