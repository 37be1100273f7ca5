"""When Services work, seen from every node: clients that connect until they get through.

:class:`Knocking` has one client in each of some targets (:mod:`testbed.measure.programs.knock`);
what it waits for is an answer at every address that was named. Its times are right to
:data:`INTERVAL` for each address that is still waited for, or to a thousandth of the time waited.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from testbed.errors import LabError
from testbed.measure import process, programs
from testbed.measure.contract import LabHandle
from testbed.measure.process import Flow, Launched

INTERVAL = 1e-3
"""Seconds between two tries of a client."""

ANY = "-"
"""The word that stands for any answer."""


def parse(text: str) -> tuple[dict[str, float], float]:
    """Reads what a client printed.

    Returns:
        Address → when it answered, in seconds of CLOCK_MONOTONIC; and the longest time between two
        tries in seconds, 0 where the client has not ended.
    """
    rows = [line.split() for line in text.splitlines()]
    pairs = [(row[0], row[1]) for row in rows if len(row) == 2]
    pause = next((float(value) for name, value in pairs if name == "pause"), 0.0)
    return {name: int(value) / 1e9 for name, value in pairs if name != "pause"}, pause


@contextlib.contextmanager
def servers(lab: LabHandle, words: Mapping[str, str], port: int, raw: Path) -> Iterator[None]:
    """Servers during the ``with`` block: target → the word that it answers with.

    Raises:
        LabError: One did not listen in time.
    """
    with contextlib.ExitStack() as stack:
        for target, word in words.items():
            own = raw / f"server-{word}"
            own.mkdir(exist_ok=True)
            there = "0.0.0.0"  # noqa: S104 - inside the pod's own namespace
            argv = [*programs.argv("knock"), "answer", there, str(port), word]
            flow = Flow(lab, target, target, there)
            stack.enter_context(process.server(flow, argv, own, "listening"))
        yield


class Knocking:
    """Clients that try until they get through, during a ``with`` block.

    Args:
        lab: Where.
        targets: Each has a client.
        addresses: What each tries.
        port: The port of all addresses.
        word: The answer that counts.
        raw: A folder of its own for the output.

    Raises:
        LabError: A client did not start.
    """

    def __init__(
        self, lab: LabHandle, targets: Sequence[str], addresses: Sequence[str], port: int,
        word: str, raw: Path,
    ) -> None:  # fmt: skip
        words = ["until", word, str(INTERVAL), str(port), *addresses]
        self._argv = [*programs.argv("knock"), *words]
        self._lab, self._targets, self._raw, self._addresses = lab, targets, raw, addresses
        self._clients: list[Launched] = []

    def __enter__(self) -> Knocking:
        """Starts the clients; returns when all of them try."""
        try:
            for target in self._targets:
                own = self._raw / target.replace("/", "-")
                own.mkdir(parents=True, exist_ok=True)
                self._clients.append(Launched(self._lab, target, self._argv, own, "client"))
            for client in self._clients:
                client.await_line("knocking")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the clients."""
        for client in self._clients:
            client.kill()

    def through(self, limit: float) -> tuple[float, float]:
        """Waits until every client has got through to every address.

        Args:
            limit: How long, in seconds.

        Returns:
            When the last one got through, in seconds of CLOCK_MONOTONIC; and the longest time
            between two tries of a client.

        Raises:
            LabError: That did not come to pass in time.
        """
        end = time.monotonic() + limit
        found = []
        for client in self._clients:
            code = client.finish(max(0.1, end - time.monotonic()))
            times, pause = parse(client.output)
            if code or set(times) != set(self._addresses):
                words = client.complaints.strip() or "it ended too early"
                raise LabError(f"client in {client.target}: {words}")
            found.append((max(times.values()), pause))
        return max(when for when, _ in found), max(pause for _, pause in found)
