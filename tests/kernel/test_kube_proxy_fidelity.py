"""What this project's proxy modes program is what the real kube-proxy programs.

The same objects go through both, cluster after cluster, each changed from the one before; after
each the rules of both nodes must be the same (:mod:`fidelityrules` says what "the same" leaves
out). The clusters are random ones and those of kube-proxy's own test cases. kube-proxy is built on
first need (``python -m testbed.go.build kube-proxy``); where it is not there and there is no Go,
the tests are skipped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import fidelitynode
import pytest
import servicecases
from fidelitynode import OurNode, RealNode
from fidelityrules import difference, with_newer_comments
from randomclusters import History, empty

from testbed.cluster.backends import Statuses
from testbed.cluster.model import Cluster
from testbed.errors import MissingError
from testbed.go import build
from testbed.objects import parse
from testbed.proxy.contract import modes
from testbed.spec import apply, resolve

pytestmark = pytest.mark.kernel

MODES = ("iptables", "nftables")
SEEDS = 20
STEPS = 10
PROTOCOLS = ("TCP", "UDP")
SETTINGS: tuple[dict[str, str], ...] = (
    {"masquerade_all": "true"},
    {"detect_local": "false"},
    {"localhost_nodeports": "false"},
    *({"nodeport_addresses": ranges} for ranges in ("192.168.0.0/16", "0.0.0.0/0", "10.0.0.0/8")),
    {"nodeport_addresses": "127.0.0.0/8,192.168.1.0/24"},
)


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


@contextmanager
def pair_of(mode: str, cluster: Cluster, renames: bool = False, **settings: str) -> Iterator[Pair]:
    """See :class:`Pair`; skips where there is no kube-proxy, or not the privilege."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    try:
        made = Pair(mode, cluster, renames, **settings)
    except MissingError as error:
        pytest.skip(str(error))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module", params=MODES)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with pair_of(request.param, empty(), renames=True) as made:
        yield made


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_clusters(pair: Pair, seed: int) -> None:
    history = History(seed, pair.cluster, PROTOCOLS)
    for number, (cluster, statuses) in enumerate(history.steps(STEPS)):
        pair.cluster = cluster
        pair.become(cluster, statuses, f"seed {seed}, cluster {number}", number == STEPS - 1)


KNOWN = [(m, s) for m in MODES for s in SETTINGS if s.keys() <= modes.get(m).settings.keys()]


@pytest.mark.parametrize(("mode", "settings"), KNOWN, ids=str)
def test_settings(mode: str, settings: dict[str, str]) -> None:
    with pair_of(mode, empty(), renames=True, **settings) as pair:
        for number, (cluster, statuses) in enumerate(History(99, empty(), PROTOCOLS).steps(3)):
            pair.become(cluster, statuses, f"cluster {number}", number == 2)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("group", servicecases.GROUPS, ids=lambda group: group.name)
def test_cases(mode: str, group: servicecases.Group) -> None:
    """kube-proxy's own test cases, one after the other, and all at once."""
    if not group.scenarios():
        pytest.skip(f"{servicecases.FILE} is not there")
    chosen = dict(setting.split("=", 1) for setting in group.settings_for(mode))
    bare = resolve(servicecases.TOPOLOGY, proxy=mode).cluster
    cases = servicecases.cases(group, mode)
    clusters = [apply(bare, parse(case.manifest, group.name)) for case in cases]
    every = "\n---\n".join(case.manifest for case in cases)
    clusters.append(apply(bare, parse(every, "all cases")))
    with pair_of(mode, bare, **chosen) as pair:
        for number, cluster in enumerate(clusters):
            pair.become(cluster, {}, f"{group.name}, case {number}", fresh=True)
            # The next may have the same node port, and kube-proxy would leave its comment.
            pair.become(bare, {}, f"{group.name}, after case {number}")


@pytest.mark.parametrize("mode", MODES)
def test_kernel_parameters(mode: str) -> None:
    with pair_of(mode, empty()) as pair:
        pair.become(empty(), {}, "no Services")
        real, ours = pair.sysctls()
        assert real == ours
