"""Starting a lab from outside, and waiting until it is as it should be."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from testbed.doctor import features, needs
from testbed.errors import LabError, MissingError
from testbed.go import components
from testbed.kernel import sandbox
from testbed.lab import daemon, datapath, directory, protocol
from testbed.lab.client import Lab, error_of
from testbed.spec import Spec

DEFAULT_WAIT = 120.0
"""Seconds for pods and routes to get ready, unless one says how many; emulated CPUs are slow."""


@dataclass
class Started:
    """A lab that has been started.

    Attributes:
        name: Its name.
        problems: What was not ready in time; empty if all is well.
        lease: While it is open the lab may live; see :meth:`let_go`.
    """

    name: str
    problems: list[str]
    lease: socket.socket

    def let_go(self) -> None:
        """Lets the lab live on after this process.

        Raises:
            LabError: It has ended meanwhile.
        """
        with self.lease:
            try:
                protocol.send(self.lease, {})
            except OSError:
                raise _died(self.name) from None


def start(
    name: str,
    spec: Spec,
    wait: float = DEFAULT_WAIT,
    progress: Callable[[str], None] = lambda _: None,
) -> Started:
    """Starts a lab; it ends with this process unless it is let go.

    Args:
        name: Its name.
        spec: What it shall be.
        wait: Seconds that pods and routes have to get ready.
        progress: Is told what is being done.

    Raises:
        InputError: The name is none, or taken.
        MissingError: The machine lacks something that the spec needs.
        LabError: The lab could not be built; nothing is left of it.
    """
    if os.geteuid() != 0:
        raise MissingError("a lab needs root", hint="Run the same command with sudo.")
    listener = directory.claim(name)
    api = directory.api_socket(name)
    spec = datapath.choose(spec)
    wanted = (*needs.EVERY_LAB, *spec.needs)
    features.require(wanted)
    features.load_modules(wanted)
    found = components.provide(spec.components, progress, spec.programs_given)
    ours, theirs = socket.socketpair()

    def main() -> None:
        ours.close()
        components.install(found)
        daemon.run(name, spec, listener, api, theirs, wait)

    with listener, api, theirs:
        spec.plan  # noqa: B018 - computed here, so that its errors are ours
        sandbox.start(listener, name, main)
    return Started(name, _follow(name, ours, progress), ours)


def _died(name: str) -> LabError:
    return LabError(f"the supervisor of lab {name!r} died")


def _follow(name: str, lease: socket.socket, progress: Callable[[str], None]) -> list[str]:
    while True:
        try:
            message, _ = protocol.receive(lease)
        except EOFError:
            raise _died(name) from None
        if "progress" in message:
            progress(message["progress"])
        elif "error" in message:
            raise error_of(message["error"])
        else:
            return list(message["ready"])


@contextmanager
def running(name: str, spec: Spec, wait: float = DEFAULT_WAIT) -> Iterator[Lab]:
    """A lab for the time of a ``with`` block; it ends with the block or with this process.

    Raises:
        LabError: Something was not ready in time.
    """
    started = start(name, spec, wait)
    try:
        if started.problems:
            raise LabError("\n".join(started.problems))
        yield Lab(name)
    finally:
        with suppress(LabError):
            Lab(name).down()
        started.lease.close()
