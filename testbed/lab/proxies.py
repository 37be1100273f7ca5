"""The proxies of all nodes: they bring what Services are into the nodes' kernels, change by change.

One thread does what kube-proxy does on each node. It is woken when something may have changed
(:meth:`Proxies.wake`, which returns at once), looks at the Services and endpoints as they are then,
works out for each node what is to be done (:mod:`testbed.proxy.program`, pure) and has it done on
several nodes at a time. What happens meanwhile is done in the next round, all of it together; no
time is waited for. :meth:`Proxies.flush` returns when everything up to now is in the kernels.

A node on which something fails keeps what it had; the next round tries again.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping

from testbed.cluster.discovery import Discovery
from testbed.cluster.proxyview import Seen, proxy_view
from testbed.errors import LabError
from testbed.kernel import conntrack, ipvs, nftnetlink
from testbed.kernel.executor import Executor
from testbed.kernel.netns import NetNs
from testbed.lab import relay
from testbed.lab.rounds import Rounds
from testbed.lab.servicehealth import ServiceHealth
from testbed.plan.model import Sysctl
from testbed.proxy.contract import Forget, IptablesRestore, Nft, Step
from testbed.proxy.ipvs import Ipvs
from testbed.proxy.program import NodeProgram
from testbed.proxy.relay import Relay


class Proxies:
    """The proxies of a lab.

    Args:
        programs: Namespace of each node → its program; with none nothing is ever done.
        executor: Enters namespaces.
        discover: Finds the Services and endpoints as they are now.

    Attributes:
        last: Of the last round that had something to do: when it began, when it had worked out what
            to do, and when all kernels had it, in seconds of CLOCK_MONOTONIC; None for none yet.
    """

    def __init__(
        self,
        programs: Mapping[str, NodeProgram],
        executor: Executor,
        discover: Callable[[], Discovery],
    ) -> None:
        self._programs, self._executor, self._discover = dict(programs), executor, discover
        self._view: Seen | None = None
        self._health = ServiceHealth(executor, self._programs)
        self.last: tuple[float, float, float] | None = None
        self._rounds = Rounds("proxies", self._round, self._prepare)

    def wake(self) -> None:
        """Has the proxies look at the Services; returns at once.

        Before the first :meth:`flush` it does nothing: the network may not be there yet.
        """
        self._rounds.wake()

    def flush(self) -> None:
        """Has the proxies look at the Services, and waits until all of it is done.

        Raises:
            LabError: A kernel refuses something.
        """
        if self._programs:
            self._rounds.flush()

    def _prepare(self) -> None:
        """What makes the first change as quick as the others."""
        for program in self._programs.values():
            program.prepare()

    def _round(self) -> None:
        done = False
        try:
            self._program()
            done = True
        finally:
            self._health.healthy = done

    def _program(self) -> None:
        """Brings every node up to date."""
        begun = time.monotonic()
        before, view = self._view, proxy_view(self._discover(), self._view)
        changed = None if before is None else view.changed(before)
        works, after = {}, {}
        for name, program in self._programs.items():
            known = changed if program.view is before else None
            steps, after[name] = program.update(view, known)
            if steps:
                works[name] = _work(steps, name, after[name], self._programs)
            else:
                self._programs[name] = after[name]
        self._view = view
        worked = time.monotonic()
        try:
            if works:
                self._executor.inside(works)
                self.last = begun, worked, time.monotonic()
        finally:
            self._health.update(view, view.services if changed is None else changed)


def _work(
    steps: tuple[Step, ...], name: str, after: NodeProgram, programs: dict[str, NodeProgram]
) -> Callable[[NetNs], None]:
    """Carries out a node's steps, and then notes that its program is the new one."""

    def work(netns: NetNs) -> None:
        for step in steps:
            carry_out(netns, step)
        programs[name] = after

    return work


def carry_out(netns: NetNs, step: Step) -> None:
    """Does one step; the thread must be in the node's namespace.

    Raises:
        LabError: The kernel refuses it; nothing of the step was done.
    """
    if isinstance(step, Sysctl):
        netns.write_sysctl(step.key, step.value)
    elif isinstance(step, Forget):
        conntrack.forget(netns.name, step)
    elif isinstance(step, Ipvs):
        ipvs.carry_out(netns, step)
    elif isinstance(step, Relay):
        relay.carry_out(netns, step)
    elif isinstance(step, Nft) and nftnetlink.commit(netns.name, step.commands):
        return  # nft itself would ask for every chain first
    else:
        restores = isinstance(step, IptablesRestore)
        argv = ["iptables-restore", "--noflush", "--wait"] if restores else ["nft", "-f", "-"]
        done = subprocess.run(argv, input=step.text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"{netns.name}: {argv[0]}: {done.stderr.strip()}")
