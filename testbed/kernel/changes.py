"""Changes of a plan in the kernel: carried out, and taken back where the kernel refuses a part.

Everything here is done in the executor's thread and its workers, which enter the namespaces.
"""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress

from testbed.errors import LabError
from testbed.kernel import batch, offload
from testbed.kernel.netns import NetNs
from testbed.plan.diff import PlanChange
from testbed.plan.model import IptablesRules, NamespacePlan, Veth

_WORKERS = 4  # 1,000 pods take a sixth less time than with one; more make no difference
_RESTORE = ["iptables-restore", "--noflush", "--wait"]
_AGAIN = frozenset({errno.EEXIST})
_ABSENT = frozenset({errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL})


class Changes:
    """What carries out changes.

    Args:
        namespaces: Name in the plan → the namespace; pods' come and go with the plan.
    """

    def __init__(self, namespaces: dict[str, NetNs]) -> None:
        self._namespaces = namespaces
        self._workers = ThreadPoolExecutor(_WORKERS, "netns")

    def apply(self, change: PlanChange) -> None:
        """Carries out a change.

        Raises:
            LabError: The kernel refuses something; the rest of the same kind is done.
            OSError: It has no more descriptors, threads or memory.
        """
        for name, part in change.changed.items():
            again = {rules.owner for rules in part.add.rules}
            self._remove(self._namespaces[name], part.remove, again)
        for name in change.gone:
            self._namespaces.pop(name).close()
        self._make(change.made)
        added = {name: part.add for name, part in change.changed.items()} | change.made
        self._add(added)

    def revert(self, change: PlanChange) -> None:
        """Takes back a change of which any part may have been carried out, and any not.

        What somebody else had made, and what the change could not make for that reason, goes too:
        it cannot be told from the change's own.

        Raises:
            LabError: The kernel refuses something.
            OSError: It has no more descriptors, threads or memory.
        """
        for name in change.made:  # first: it gives descriptors back
            if name in self._namespaces:
                self._namespaces.pop(name).close()
        for name, part in change.changed.items():
            netns = self._namespaces[name]
            with netns.entered():
                # Also those that are to stay: they may be there, and are loaded below.
                _unload(netns, (*part.add.rules, *part.remove.rules))
                _take(netns, batch.present(netns, part.add), _ABSENT)
        self._make(change.gone)
        lost = {name: self._lost(name, part.remove) for name, part in change.changed.items()}
        self._add(lost | change.gone, _AGAIN)

    def _lost(self, name: str, part: NamespacePlan) -> NamespacePlan:
        """A part without those of its links that are still there."""
        netns = self._namespaces[name]
        with netns.entered():
            return batch.without_links_of(netns, part)

    def each(self, names: Iterable[str], work: Callable[[str], None]) -> None:
        """Has the workers do the work for each namespace, and waits for all of them.

        Raises:
            LabError: What the first one raised; the others were done all the same.
        """
        works = [self._workers.submit(work, name) for name in names]
        wait(works)
        for done in works:
            done.result()

    def _make(self, names: Iterable[str]) -> None:
        def make(name: str) -> None:
            self._namespaces[name] = NetNs.make(name)

        self.each([name for name in names if name not in self._namespaces], make)

    def _add(
        self, parts: Mapping[str, NamespacePlan], forgiven: Collection[int] = frozenset()
    ) -> None:
        """Makes all links before anything that needs them, in whichever namespace that is."""
        linked = [name for name, part in parts.items() if part.links or part.ports]
        self.each(linked, lambda name: self._links(self._namespaces[name], parts[name]))
        peers = _peers(parts.values())
        self.each(parts, lambda name: self._fill(name, parts[name], peers.get(name), forgiven))

    def _links(self, netns: NetNs, part: NamespacePlan) -> None:
        with netns.entered():
            netns.send(list(batch.links(netns, part, self._namespaces)))

    def _fill(
        self, name: str, part: NamespacePlan, peers: list[str] | None, forgiven: Collection[int]
    ) -> None:
        """Adds what is no link.

        Args:
            name: Of the namespace.
            part: What to add.
            peers: Ends of veth pairs that another namespace's part has just put here; None if
                there are none.
            forgiven: Error numbers that are none.
        """
        netns = self._namespaces[name]
        with netns.entered():
            fresh = () if peers is None else ("lo", *peers)
            again = bool(forgiven)
            messages = [*batch.up(netns, fresh), *batch.layer3(netns, part, again=again)]
            netns.send(messages, forgiven)
            _rest(netns, part)
        if peers is not None:
            netns.release_socket()

    @staticmethod
    def _remove(netns: NetNs, part: NamespacePlan, again: Collection[str]) -> None:
        """Removes what can be removed; ``again`` owns rules that are about to be loaded."""
        with netns.entered():
            for rules in reversed(part.rules):
                if rules.undo and rules.owner not in again:
                    feed(netns.name, _RESTORE, rules.undo)
            _take(netns, part)


def _unload(netns: NetNs, owned: Iterable[IptablesRules]) -> None:
    """Takes rules away that may not be there; the thread is in the namespace."""
    for rules in owned:
        if rules.undo:
            with suppress(LabError):
                feed(netns.name, _RESTORE, rules.undo)


def _take(netns: NetNs, part: NamespacePlan, forgiven: Collection[int] = frozenset()) -> None:
    """Removes all that is no rule; the thread is in the namespace."""
    messages = list(batch.removal(netns, part))
    if messages:
        netns.send(messages, forgiven)
    for link in part.links:
        netns.forget(link.name)


def _peers(parts: Iterable[NamespacePlan]) -> dict[str, list[str]]:
    """Namespaces into which the parts put ends of veth pairs, with the names of these."""
    found: dict[str, list[str]] = {}
    for part in parts:
        for link in part.links:
            if isinstance(link, Veth):
                found.setdefault(link.peer_namespace, []).append(link.peer)
    return found


def _rest(netns: NetNs, part: NamespacePlan) -> None:
    """What is not netlink; the thread is in the namespace."""
    for port in part.ports:
        if port.software_checksums:
            offload.software_checksums(port.device)
    for sysctl in part.sysctls:
        netns.write_sysctl(sysctl.key, sysctl.value)
    lines = [
        f"qdisc add dev {i.device} {discipline}" for i in part.impairments for discipline in i.tc()
    ]
    if lines:
        feed(netns.name, ["tc", "-batch", "-"], "\n".join(lines) + "\n")
    for rules in part.rules:
        feed(netns.name, _RESTORE, rules.text)


def feed(name: str, argv: list[str], text: str) -> None:
    """Runs a program in the thread's network namespace with the text as its input.

    Raises:
        LabError: It fails; the message has its words.
    """
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{name}: {argv[0]}: {done.stderr.strip()}")
