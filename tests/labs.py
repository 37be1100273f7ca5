"""Labs that tests start and drive by the command, as a user does; fixtures: ``conftest.py``."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Sequence

TESTBED = (sys.executable, "-m", "testbed")
"""The command."""

_PATIENCE = 300.0  # seconds for a command
_BUILDING = 900.0  # seconds for `up`, which builds a real component if it is the first to need it
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
            self.run("up", "--timeout", "120", *options, *given, text="\n---\n".join(manifests))
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
            timeout=_BUILDING if argv[0] == "up" else _PATIENCE,
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
