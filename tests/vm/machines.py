"""The virtual machine of the tests, and labs in it; the fixture ``vm`` is in ``conftest.py``.

As natively (``tests/labs.py``), but inside::

    def test_delay(vm):
        lab = vm.lab(settings=["delay=20ms"])
        assert "rtt" in lab.exec("node/n1", "ping", "-c", "3", "192.168.0.12")
        lab.end()

    def test_module(vm):
        vm.run("modprobe", "ip_vs")                      # demands exit code 0
        assert vm.run("false", code=None).returncode == 1
        later = vm.submit("ping", "-c", "9", "::1")      # meanwhile …
        assert later.result(60).returncode == 0

The machine is one for all tests, and starts with the first that wants it. A test leaves it as it
found it: ends its labs (or takes the fixture ``vm_lab``, which does so) and removes what it made.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

Done = subprocess.CompletedProcess[str]

AGENT = Path(__file__).with_name("agent.py")
LIMIT = 300.0
"""Seconds that a command has."""

_BOOT = 300.0
_numbers = itertools.count(1)


class Vm:
    """A virtual machine that runs; commands in it may run at the same time.

    Args:
        options: Of ``testbed vm``.

    Attributes:
        process: The ``testbed vm`` itself.
    """

    def __init__(self, options: Sequence[str] = ()) -> None:
        line = [sys.executable, "-m", "testbed", "vm", *options, "--", sys.executable, str(AGENT)]
        self.process = subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self._waited: dict[int, Future[dict[str, Any]]] = {0: Future()}
        started = self._waited[0]
        threading.Thread(target=self._listen, daemon=True).start()
        started.result(_BOOT)

    def submit(
        self, *argv: str, text: str = "", limit: float = LIMIT, cwd: str = "/tmp", **env: str
    ) -> Future[Done]:
        """Starts a command; the future has what came of it.

        Args:
            argv: The command.
            text: Its standard input.
            limit: Seconds after which it is killed (code -9).
            cwd: Where it starts.
            env: Further environment variables.
        """
        return self._ask({"argv": argv}, argv, text, limit, cwd, env)

    def run(self, *argv: str, code: int | None = 0, **options: Any) -> Done:
        """As :meth:`submit`, but waits, and demands an exit code (None: any)."""
        return _checked(self.submit(*argv, **options).result(), code)

    def testbed(self, *argv: str, code: int | None = 0, **options: Any) -> Done:
        """As :meth:`run`, with ``testbed ARGV``, by a process that has it imported already."""
        return _checked(self.submit_testbed(*argv, **options).result(), code)

    def submit_testbed(
        self, *argv: str, text: str = "", limit: float = LIMIT, cwd: str = "/tmp", **env: str
    ) -> Future[Done]:
        """As :meth:`submit`, with ``testbed ARGV``."""
        return self._ask({"testbed": argv}, ("testbed", *argv), text, limit, cwd, env)

    def lab(
        self,
        topology: str = "single",
        cni: str = "vxlan",
        manifests: Sequence[str] = (),
        settings: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> VmLab:
        """Starts a lab in the machine; the arguments are those of the fixture ``lab``."""
        chosen = [word for setting in settings for word in ("--set", setting)]
        return VmLab(self, ["-t", topology, "--cni", cni, *chosen, *options], manifests)

    def end(self) -> int:
        """Ends it as its user would, and returns its exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(60)

    def _ask(
        self,
        what: dict[str, Any],
        argv: Sequence[str],
        text: str,
        limit: float,
        cwd: str,
        env: dict[str, str],
    ) -> Future[Done]:
        number = next(_numbers)
        self._waited[number] = answered = Future()
        common = {"id": number, "input": text, "limit": limit, "cwd": cwd, "env": env}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what | common).encode() + b"\n")
        self.process.stdin.flush()
        done: Future[Done] = Future()
        answered.add_done_callback(lambda future: _pass_on(future, done, argv))
        return done

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            answer = json.loads(line)
            self._waited.pop(answer["id"]).set_result(answer)
        code = self.process.wait()
        for waiting in list(self._waited.values()):
            waiting.set_exception(RuntimeError(f"the virtual machine ended with code {code}"))


def _pass_on(answered: Future[dict[str, Any]], done: Future[Done], argv: Sequence[str]) -> None:
    error = answered.exception()
    if error:
        done.set_exception(error)
    else:
        found = answered.result()
        done.set_result(Done(list(argv), found["code"], found["stdout"], found["stderr"]))


def _checked(done: Done, code: int | None) -> Done:
    said = f"{' '.join(done.args)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    assert code is None or done.returncode == code, said
    return done


class VmLab:
    """A lab inside the virtual machine, as ``labs.RunningLab`` is one outside.

    Attributes:
        name: Its name.
        patience: Seconds that a connection may take in software emulation, on a busy machine.
    """

    patience = 15.0

    def __init__(self, vm: Vm, options: Sequence[str], manifests: Sequence[str]) -> None:
        self.name, self._vm = f"t{next(_numbers)}", vm
        given = ("-f", "-") if manifests else ()
        self.run("up", "--timeout", "240", *options, *given, text="\n---\n".join(manifests))

    def run(self, *argv: str, code: int | None = 0, **options: Any) -> Done:
        """Runs ``testbed ARGV`` on this lab and demands an exit code (None: any)."""
        return self._vm.testbed("--lab", self.name, *argv, code=code, **options)

    def exec(self, target: str, *argv: str) -> str:
        """What ARGV printed in a target: ``NAMESPACE/POD``, ``node/NAME``, ``external/NAME``."""
        return self.run("exec", *_where(target), "--", *argv).stdout

    def submit(self, target: str, *argv: str, **options: Any) -> Future[Done]:
        """Starts ARGV in a target, and does not wait for it."""
        line = ("--lab", self.name, "exec", *_where(target), "--", *argv)
        return self._vm.submit_testbed(*line, **options)

    def end(self) -> None:
        """Ends the lab."""
        self.run("down")


def _where(target: str) -> tuple[str, ...]:
    kind, _, name = target.partition("/")
    if kind in ("node", "external", "router"):
        return (target,)
    return ("--namespace", kind, name)


StartVmLab = Callable[..., VmLab]
