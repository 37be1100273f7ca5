"""Fixtures for tests that need running labs.

``lab`` starts labs of a test's own and ends them with it; ``shared_lab`` starts one lab for each
set of options and keeps it until the file is done, for tests that leave it as they found it::

    def test_pods_are_there(shared_lab):
        running = shared_lab(cni="bgp", manifests=[DEPLOYMENT])
        assert "web-0" in running.run("get", "pods").stdout

    def test_that_breaks_it(lab):
        broken = lab(topology="twozone")
        broken.exec("node/n1", "ip", "route", "del", "10.244.2.0/24")

Names are unique on the machine, so that workers of pytest-xdist and other people's sessions do not
meet. A lab has a guard process that ends it when the session does, however that ends.

Between several workers (``-n``) tests are divided by files (``scheduling.py``).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import pytest
from labs import RunningLab, StartLab
from scheduling import TOGETHER, FileScheduling


def pytest_configure() -> None:
    """Has programs that tests start take SIGINT, also where the session is a shell's background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those of the virtual machine come first: with several workers they take longest."""
    items.sort(key=lambda item: not item.nodeid.startswith(f"{TOGETHER}/"))


@pytest.hookimpl(optionalhook=True)  # -p no:xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Which worker of pytest-xdist runs what."""
    return FileScheduling(config, log)


def _starter(stack: ExitStack) -> StartLab:
    def start(
        topology: str = "single",
        cni: str = "vxlan",
        manifests: Sequence[str] = (),
        settings: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> RunningLab:
        chosen = [word for setting in settings for word in ("--set", setting)]
        started = RunningLab(
            ["-t", topology, "--cni", cni, "--proxy", "none", *chosen, *options], manifests
        )
        stack.callback(started.end)
        return started

    return start


@pytest.fixture
def lab() -> Iterator[StartLab]:
    """Starts labs that end with the test.

    Call it with ``topology``, ``cni``, ``manifests`` (YAML texts), ``settings`` (``KEY=VALUE``) and
    ``options`` (further ones of ``testbed up``). There is no proxy mode but for one in ``options``.
    """
    _need_root()
    with ExitStack() as stack:
        yield _starter(stack)


@pytest.fixture(scope="module")
def shared_lab() -> Iterator[StartLab]:
    """As ``lab``, but equal arguments give the same lab, which runs until its file is done."""
    _need_root()
    known: dict[str, RunningLab] = {}
    with ExitStack() as stack:
        start = _starter(stack)

        def get(**asked: object) -> RunningLab:
            key = repr(sorted(asked.items()))
            if key not in known:
                known[key] = start(**asked)
            return known[key]

        yield get


def _need_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
