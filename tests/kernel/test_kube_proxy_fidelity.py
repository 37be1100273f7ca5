"""What this project's proxy modes program is what the real kube-proxy programs.

The same objects go through both, cluster after cluster, each changed from the one before; after
each the rules of both nodes must be the same (:mod:`fidelityrules` says what "the same" leaves
out). The clusters are random ones and those of kube-proxy's own test cases. kube-proxy is built on
first need (``python -m testbed.go.build kube-proxy``); where it is not there and there is no Go,
the tests are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import fidelitynode
import pytest
from fidelitynode import OurNode, RealNode
from fidelityrules import difference, with_newer_comments
from randomclusters import History, empty

from testbed.cluster.backends import Statuses
from testbed.cluster.model import Cluster
from testbed.errors import MissingError
from testbed.go import build

pytestmark = pytest.mark.kernel

MODES = ("iptables", "nftables")
SEEDS = 20
STEPS = 10
PROTOCOLS = ("TCP", "UDP")


class Pair:
    """A node with kube-proxy and one with ours; one thread works on both.

    Args:
        mode: Name of the mode, ours and kube-proxy's.
        cluster: The first cluster.
        renames: Whether ports of Services get other names.
        settings: Of both, where they are not the default ones.
    """

    def __init__(self, mode: str, cluster: Cluster, renames: bool = False, **settings: str) -> None:
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
        real = with_newer_comments(real, ours) if self._renames else real
        wrong = difference(real, ours)
        assert not wrong, f"{title}, changed:\n{wrong}\n{_objects(cluster)}"
        if fresh:
            new = OurNode(self._node, self.mode)
            new.become(found)
            wrong = difference(real, fidelitynode.form(new, self.mode))
            new.close()
            assert not wrong, f"{title}, from nothing:\n{wrong}\n{_objects(cluster)}"

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


@pytest.fixture(scope="module", params=MODES)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    try:
        made = Pair(request.param, empty(), renames=True)
    except MissingError as error:
        pytest.skip(str(error))
    yield made
    made.close()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_clusters(pair: Pair, seed: int) -> None:
    history = History(seed, pair.cluster, PROTOCOLS)
    for number, (cluster, statuses) in enumerate(history.steps(STEPS)):
        pair.cluster = cluster
        pair.become(cluster, statuses, f"seed {seed}, cluster {number}", number == STEPS - 1)
