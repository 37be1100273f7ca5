"""Makes a plan so, and a change of plan: the only caller of the kernel's configuration interfaces.

One thread does one change after the other, and has workers enter the namespaces: making one is
mostly waiting for the kernel, which serves several at a time. The rest of the daemon never leaves
its own namespace. Per namespace there is one netlink batch for links and one for addresses and
routes, one iptables transaction per owner, and no process per pod.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from testbed.errors import LabError
from testbed.kernel import batch, convergence, counters, netlink, offload, syscalls
from testbed.kernel.counters import Counters
from testbed.kernel.netns import NetNs
from testbed.plan.diff import PlanChange
from testbed.plan.model import ExpectedRoute, NamespacePlan, Veth

T = TypeVar("T")

_NOTHING = NamespacePlan()
_WORKERS = 4  # 1,000 pods take a sixth less time than with one; more make no difference


class Executor:
    """The kernel's state of one lab.

    Attributes:
        namespaces: Name in the plan → the namespace. Those of the fabric are put here by whoever
            made them; pods' come and go with the plan.
    """

    def __init__(self) -> None:
        self.namespaces: dict[str, NetNs] = {}
        self._thread = ThreadPoolExecutor(1, "executor", _private_file_system_state)
        self._workers = ThreadPoolExecutor(_WORKERS, "netns")

    def run(self, job: Callable[[], T]) -> T:
        """Does a job in the executor's thread and waits for it."""
        return self._thread.submit(job).result()

    def apply(self, change: PlanChange) -> None:
        """Carries out a change of plan.

        Raises:
            LabError: The kernel refuses something; what was done before stays.
        """
        self.run(lambda: self._apply(change))

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

        self.run(lambda: self._each(works, work))

    def feed(self, name: str, argv: list[str], text: str) -> None:
        """Runs a program in a network namespace with the text as its input.

        Raises:
            LabError: It fails; the message has its words.
        """
        self.within(name, lambda: _feed(name, argv, text))

    def _apply(self, change: PlanChange) -> None:
        for name, part in change.changed.items():
            again = {rules.owner for rules in part.add.rules}
            self._remove(self.namespaces[name], part.remove, again)
        for name in change.gone:
            self.namespaces.pop(name).close()
        new = [name for name in change.made if name not in self.namespaces]
        self.namespaces |= zip(new, self._workers.map(NetNs.make, new), strict=True)
        added = {name: part.add for name, part in change.changed.items()} | change.made
        self._add(added)

    def _add(self, parts: Mapping[str, NamespacePlan]) -> None:
        """Makes all links before anything that needs them, in whichever namespace that is."""
        linked = [name for name, part in parts.items() if part.links or part.ports]
        self._each(linked, lambda name: self._links(self.namespaces[name], parts[name]))
        peers = self._peers(parts.values())
        self._each(parts, lambda name: self._fill(name, parts[name], peers.get(name)))

    def _each(self, names: Iterable[str], work: Callable[[str], None]) -> None:
        """Has the workers do the work for each namespace, and waits for all of them.

        Raises:
            LabError: What the first one raised; the others were done all the same.
        """
        works = [self._workers.submit(work, name) for name in names]
        wait(works)
        for done in works:
            done.result()

    def _links(self, netns: NetNs, part: NamespacePlan) -> None:
        with netns.entered():
            netns.send(list(batch.links(netns, part, self.namespaces)))

    def _fill(self, name: str, part: NamespacePlan, peers: list[str] | None) -> None:
        """Adds what is no link.

        Args:
            name: Of the namespace.
            part: What to add.
            peers: Ends of veth pairs that another namespace's part has just put here; None if
                there are none.
        """
        netns = self.namespaces[name]
        with netns.entered():
            fresh = () if peers is None else ("lo", *peers)
            netns.send([*batch.up(netns, fresh), *batch.layer3(netns, part)])
            self._rest(netns, part)
        if peers is not None:
            netns.release_socket()

    @staticmethod
    def _peers(parts: Iterable[NamespacePlan]) -> dict[str, list[str]]:
        """Namespaces into which the parts put ends of veth pairs, with the names of these."""
        found: dict[str, list[str]] = {}
        for part in parts:
            for link in part.links:
                if isinstance(link, Veth):
                    found.setdefault(link.peer_namespace, []).append(link.peer)
        return found

    def _rest(self, netns: NetNs, part: NamespacePlan) -> None:
        """What is not netlink; the thread is in the namespace."""
        for port in part.ports:
            if port.software_checksums:
                offload.software_checksums(port.device)
        for sysctl in part.sysctls:
            netns.write_sysctl(sysctl.key, sysctl.value)
        lines = [
            f"qdisc add dev {i.device} {discipline}"
            for i in part.impairments
            for discipline in i.tc()
        ]
        if lines:
            _feed(netns.name, ["tc", "-batch", "-"], "\n".join(lines) + "\n")
        for rules in part.rules:
            _feed(netns.name, ["iptables-restore", "--noflush", "--wait"], rules.text)

    def _remove(self, netns: NetNs, part: NamespacePlan, again: Collection[str]) -> None:
        """Removes what can be removed; ``again`` owns rules that are about to be loaded."""
        with netns.entered():
            for rules in reversed(part.rules):
                if rules.undo and rules.owner not in again:
                    _feed(netns.name, ["iptables-restore", "--noflush", "--wait"], rules.undo)
            messages = list(batch.removal(netns, part))
            if messages:
                netns.send(messages)
            for link in part.links:
                netns.forget(link.name)


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


def _feed(name: str, argv: list[str], text: str) -> None:
    """Runs a program in the thread's network namespace with the text as its input."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{name}: {argv[0]}: {done.stderr.strip()}")
