"""Makes a plan so, and a change of plan: all that is configured in the kernel goes through here.

One thread does one change after the other, and has workers enter the namespaces: making one is
mostly waiting for the kernel, which serves several at a time. The rest of the daemon never leaves
its own namespace. Per namespace there is one netlink batch for links and one for addresses and
routes, one iptables transaction per owner, and no process per pod.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from testbed.errors import LabError
from testbed.kernel import batch, convergence, counters, netlink, syscalls
from testbed.kernel.changes import Changes, feed
from testbed.kernel.counters import Counters
from testbed.kernel.netns import EXHAUSTED, NetNs
from testbed.plan.diff import PlanChange
from testbed.plan.model import ExpectedRoute, NamespacePlan

T = TypeVar("T")

_NOTHING = NamespacePlan()


class Executor:
    """The kernel's state of one lab.

    Attributes:
        namespaces: Name in the plan → the namespace. Those of the fabric are put here by whoever
            made them; pods' come and go with the plan.
    """

    def __init__(self) -> None:
        self.namespaces: dict[str, NetNs] = {}
        self._thread = ThreadPoolExecutor(1, "executor", _private_file_system_state)
        self._changes = Changes(self.namespaces)

    def run(self, job: Callable[[], T]) -> T:
        """Does a job in the executor's thread and waits for it."""
        return self._thread.submit(job).result()

    def apply(self, change: PlanChange) -> None:
        """Carries out a change of plan, all of it or nothing.

        Raises:
            LabError: The kernel refuses something.
        """
        try:
            self.run(lambda: self._changes.apply(change))
        except (LabError, OSError) as error:
            self._revert(change, _words(error))
            raise LabError(_words(error)) from error

    def _revert(self, change: PlanChange, why: str) -> None:
        """Takes a change back that was not carried out to its end, for this reason."""
        try:
            self.run(lambda: self._changes.revert(change))
        except (LabError, OSError) as error:
            raise LabError(
                f"{why}; nor could what was done be taken back: {_words(error)}",
                hint="The lab is not what it says it is: end it, `testbed down`.",
            ) from error

    def wait_for_routes(
        self,
        expected: Mapping[str, tuple[ExpectedRoute, ...]],
        seconds: float,
        silence: float = 0.0,
    ) -> dict[str, list[str]]:
        """Waits for routes of daemons: what is missing when the time is over, by namespace.

        With ``silence`` no route must have come or gone for so many seconds.
        """
        watches = self.run(lambda: convergence.watch(self.namespaces, expected))
        return convergence.wait(watches, seconds, silence)

    def set_device(
        self, name: str, device: str, *, up: bool, part: NamespacePlan = _NOTHING
    ) -> None:
        """Sets an interface down, which its peer sees as a lost carrier, or up again.

        An interface that is set down loses its ARP and forwarding entries and its routes; a lost
        carrier alone takes none of them.

        Args:
            name: Of the namespace.
            device: The interface.
            up: Up or down.
            part: What the plan has in this namespace: what the interface lost is made again.

        Raises:
            LabError: There is no such interface.
        """

        def job() -> None:
            netns = self.namespaces[name]
            with netns.entered():
                netns.send([(device, netlink.set_up(netns.index(device), up=up))])
                if up:
                    netns.send(list(batch.layer3(netns, lost_with(part, device), again=True)))

        self.run(job)

    def counters(self, devices: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], Counters]:
        """What interfaces have counted, by namespace and interface.

        Args:
            devices: Namespace → interfaces.

        Raises:
            LabError: There is no such interface.
        """
        return self.run(
            lambda: {
                (name, device): found
                for name, some in devices.items()
                for device, found in counters.read(self.namespaces[name], some).items()
            }
        )

    def within(self, name: str, job: Callable[[], T]) -> T:
        """Does a job in a network namespace, and waits for it."""

        def inside() -> T:
            with self.namespaces[name].entered():
                return job()

        return self.run(inside)

    def inside(self, works: Mapping[str, Callable[[NetNs], None]]) -> None:
        """Does a work in each of these namespaces, several at a time, and waits for all of them.

        Raises:
            LabError: What the first one raised; the others were done all the same.
        """

        def work(name: str) -> None:
            netns = self.namespaces[name]
            with netns.entered():
                works[name](netns)

        self.run(lambda: self._changes.each(works, work))

    def feed(self, name: str, argv: list[str], text: str) -> None:
        """Runs a program in a network namespace with the text as its input.

        Raises:
            LabError: It fails; the message has its words.
        """
        self.within(name, lambda: feed(name, argv, text))


def lost_with(part: NamespacePlan, device: str) -> NamespacePlan:
    """What of a namespace an interface loses when it is set down; it keeps its addresses."""
    return NamespacePlan(
        neighbours=tuple(item for item in part.neighbours if item.device == device),
        fdb=tuple(item for item in part.fdb if item.device == device),
        routes=tuple(r for r in part.routes if device in {hop.device for hop in r.next_hops}),
    )


def _private_file_system_state() -> None:
    """Lets the thread enter mount namespaces, which the kernel forbids while it shares its root."""
    syscalls.unshare(syscalls.CLONE_FS)


def _words(error: Exception) -> str:
    """What went wrong, and what it has to do with, where that is not the plan."""
    if isinstance(error, OSError) and error.errno in EXHAUSTED:
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return (
            f"{error.strerror}: the lab's process may have {most} (`ulimit -Hn` where `testbed up` "
            "is called), and each pod takes one or more"
        )
    return str(error)
