"""Fixtures for tests that need running labs.

``lab`` starts labs of a test's own and ends them with it; ``shared_lab`` starts one lab for each
set of options and keeps it until the session ends, for tests that leave it as they found it::

    def test_pods_are_there(shared_lab):
        running = shared_lab(cni="bgp", manifests=[DEPLOYMENT])
        assert "web-0" in running.run("get", "pods").stdout

    def test_that_breaks_it(lab):
        broken = lab(topology="twozone")
        broken.exec("node/n1", "ip", "route", "del", "10.244.2.0/24")

Names are unique on the machine, so that workers of pytest-xdist and other people's sessions do not
meet. A lab has a guard process that ends it when the session does, however that ends.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest

TESTBED = (sys.executable, "-m", "testbed")

_numbers = itertools.count(1)


class RunningLab:
    """A lab that runs, driven by the command as a user drives it.

    Args:
        options: Of ``testbed up``.
        manifests: YAML texts to start it with.

    Attributes:
        name: Its name.
    """

    def __init__(self, options: Sequence[str], manifests: Sequence[str]) -> None:
        worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        self.name = f"t-{worker}-{os.getpid()}-{next(_numbers)}"
        self._guard = subprocess.Popen(  # waits for the end of its input, which is ours
            ["sh", "-c", 'cat; exec "$@"', "guard", *TESTBED, "--lab", self.name, "down"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        given = ("-f", "-") if manifests else ()
        try:
            self.run("up", *options, *given, text="\n---\n".join(manifests))
        except BaseException:
            self.end()
            raise

    def run(
        self, *argv: str, text: str = "", code: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        """Runs ``testbed ARGV`` on this lab and demands an exit code (None: any).

        Args:
            argv: Verb and arguments.
            text: Its standard input.
            code: The exit code that it must have.
        """
        done = subprocess.run(
            [*TESTBED, "--lab", self.name, *argv],
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        said = f"testbed {' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        assert code is None or done.returncode == code, said
        return done

    def exec(self, target: str, *argv: str) -> str:
        """What ARGV printed in a target: ``NAMESPACE/POD``, ``node/NAME``, ``external/NAME``."""
        kind, _, name = target.partition("/")
        where = (target,) if kind in ("node", "external", "router") else ("--namespace", kind, name)
        return self.run("exec", *where, "--", *argv).stdout

    def end(self) -> None:
        """Ends the lab, if it still runs, and returns when it is gone."""
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait(30)


StartLab = Callable[..., RunningLab]


def _starter(stack: ExitStack) -> StartLab:
    def start(
        topology: str = "single",
        cni: str = "vxlan",
        manifests: Sequence[str] = (),
        settings: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> RunningLab:
        chosen = [word for setting in settings for word in ("--set", setting)]
        started = RunningLab(["-t", topology, "--cni", cni, *chosen, *options], manifests)
        stack.callback(started.end)
        return started

    return start


@pytest.fixture
def lab() -> Iterator[StartLab]:
    """Starts labs that end with the test.

    Call it with ``topology``, ``cni``, ``manifests`` (YAML texts), ``settings`` (``KEY=VALUE``) and
    ``options`` (further ones of ``testbed up``).
    """
    _need_root()
    with ExitStack() as stack:
        yield _starter(stack)


@pytest.fixture(scope="session")
def shared_lab() -> Iterator[StartLab]:
    """As ``lab``, but equal arguments give the same lab, which runs until the session ends."""
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
