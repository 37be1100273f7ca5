"""What this project's proxy modes program is what the real kube-proxy programs.

The same objects go through both, cluster after cluster, each changed from the one before; after
each the rules of both nodes must be the same (:mod:`fidelityrules` says what "the same" leaves
out). The clusters are random ones and those of kube-proxy's own test cases. kube-proxy is built on
first need (``python -m testbed.go.build kube-proxy``); where it is not there and there is no Go,
the tests are skipped. The mode ``ipvs`` is compared in the virtual machine
(``tests/vm/test_kube_proxy_fidelity_ipvs.py``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import servicecases
from fidelitypair import PROTOCOLS, Pair, bare_of, cases, random_clusters
from randomclusters import History, empty

from testbed.cluster.model import Cluster
from testbed.errors import MissingError
from testbed.proxy.contract import modes
from testbed.proxy.kubeproxy import BackEnd

pytestmark = pytest.mark.kernel

MODES: tuple[BackEnd, ...] = ("iptables", "nftables")
SEEDS = 20
STEPS = 10
SETTINGS: tuple[dict[str, str], ...] = (
    {"masquerade_all": "true"},
    {"detect_local": "false"},
    {"localhost_nodeports": "false"},
    *({"nodeport_addresses": ranges} for ranges in ("192.168.0.0/16", "0.0.0.0/0", "10.0.0.0/8")),
    {"nodeport_addresses": "127.0.0.0/8,192.168.1.0/24"},
)


@contextmanager
def pair_of(
    mode: BackEnd, cluster: Cluster, renames: bool = False, **settings: str
) -> Iterator[Pair]:
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
    random_clusters(pair, seed, STEPS)


KNOWN = [(m, s) for m in MODES for s in SETTINGS if s.keys() <= modes.get(m).settings.keys()]


@pytest.mark.parametrize(("mode", "settings"), KNOWN, ids=str)
def test_settings(mode: BackEnd, settings: dict[str, str]) -> None:
    with pair_of(mode, empty(), renames=True, **settings) as pair:
        for number, (cluster, statuses) in enumerate(History(99, empty(), PROTOCOLS).steps(3)):
            pair.become(cluster, statuses, f"cluster {number}", number == 2)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("group", servicecases.GROUPS, ids=lambda group: group.name)
def test_cases(mode: BackEnd, group: servicecases.Group) -> None:
    """kube-proxy's own test cases, one after the other, and all at once."""
    if not group.scenarios():
        pytest.skip(f"{servicecases.FILE} is not there")
    chosen = dict(setting.split("=", 1) for setting in group.settings_for(mode))
    with pair_of(mode, bare_of(mode), **chosen) as pair:
        cases(pair, group)


@pytest.mark.parametrize("mode", MODES)
def test_kernel_parameters(mode: BackEnd) -> None:
    with pair_of(mode, empty()) as pair:
        pair.become(empty(), {}, "no Services")
        real, ours = pair.sysctls()
        assert real == ours
