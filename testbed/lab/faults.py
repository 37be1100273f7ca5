"""Failing what a running lab has, and healing it exactly.

What can fail, and what it is called: :mod:`testbed.plan.targets`. How:

- *link*: one of its two ends is set down, which takes the carrier from both. It is a switch's end
  where there is one, since a host's interface that is set down loses its routes and ARP entries;
  between two hosts these are made again when it is set up.
- *node*: a table of nftables in its namespace, at the hooks next to its underlay interfaces
  (``netdev``, ingress and egress). What comes in is dropped before anybody sees it, but packet
  sockets; what goes out is sent to the loopback interface and dropped there: a packet that the
  egress hook itself drops is told to its sender as an error, on which TCP acts. ARP, BGP and BFD
  are lost as pods' traffic is, encapsulated or not.
- *daemon*: SIGKILL. It is started again as it was first.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from testbed.doctor.features import program, require
from testbed.errors import LabError
from testbed.kernel.executor import Executor
from testbed.lab.hosts import Daemons
from testbed.plan import targets
from testbed.plan.model import FABRIC, NamespacePlan, Plan
from testbed.topology.model import Topology

Fault = tuple[str, str]
"""Kind and target of something that has failed."""

_TABLE = "testbed-partition"
_LOST = 0x7E57  # a mark of packets that are on their way to be dropped
_FIRST_RETRY = 0.2  # seconds: Linux' TCP_RTO_MIN
_LONGEST = 10.0  # seconds; what lasts longer than the fabric's hold time has ended its sessions
_FIRST = -500  # before all other chains at a hook


class Faults:
    """What has failed in a lab.

    Args:
        topology: The lab's.
        plan: Tells what the lab's plan is at present.
        executor: Has the namespaces.
        daemons: The daemons of the lab's hosts.
    """

    def __init__(
        self, topology: Topology, plan: Callable[[], Plan], executor: Executor, daemons: Daemons
    ) -> None:
        self._topology, self._plan = topology, plan
        self._executor, self._daemons = executor, daemons
        self._lock = threading.Lock()
        self._open: dict[Fault, float] = {}
        self._uncertain_until = 0.0
        self._make = {"link": self._link, "node": self._node, "daemon": self._daemon}

    @property
    def open(self) -> list[Fault]:
        """What has failed and is not healed, in the order of failing."""
        return list(self._open)

    @property
    def uncertain(self) -> float:
        """Seconds until it is certain which routing sessions have survived what was healed.

        A session of BGP that has noticed nothing lives on if its TCP gets through before the hold
        time is over. TCP doubles the time from one retry to the next (RFC 6298, section 5.5), so
        the next one comes at the latest after as long again as the failure has lasted.
        """
        return max(0.0, self._uncertain_until - time.monotonic())

    def fail(self, kind: str, target: str) -> None:
        """Fails something; nothing happens if it has failed already.

        Raises:
            InputError: There is no such thing.
            MissingError: The kernel cannot do it.
            LabError: It refuses.
        """
        fault = self._fault(kind, target)
        with self._lock:
            if fault not in self._open:
                self._make[kind](target, False)
                self._open[fault] = time.monotonic()

    def heal(self, kind: str, target: str) -> bool:
        """Undoes a failure, and says whether there was one.

        Raises:
            InputError: There is no such thing.
            LabError: The kernel refuses, or a daemon does not serve again.
        """
        fault = self._fault(kind, target)
        with self._lock:
            if fault not in self._open:
                return False
            self._make[kind](target, True)
            began, now = self._open.pop(fault), time.monotonic()
            if kind != "daemon":  # which ends its connections with itself
                late = now + min(now - began, _LONGEST) + _FIRST_RETRY
                self._uncertain_until = max(self._uncertain_until, late)
            return True

    def _fault(self, kind: str, target: str) -> Fault:
        """The kind and the one name of a target."""
        targets.check(kind, target, self._topology, self._plan())
        if kind == "link":
            link = targets.links(self._topology, target)[0]
            return kind, f"{link.a}-{link.b}"
        return kind, target

    def _link(self, name: str, up: bool) -> None:
        spaces = {host.name: f"{host.role}/{host.name}" for host in self._topology.hosts}
        for link in targets.links(self._topology, name):
            ends = ((link.a, link.a_interface), (link.b, link.b_interface))
            end, device = ends[0] if link.b in spaces else ends[1]
            where = spaces.get(end, FABRIC)
            part = self._plan().namespaces.get(where, NamespacePlan())
            self._executor.set_device(where, device, up=up, part=part)

    def _node(self, name: str, up: bool) -> None:
        devices = [interface.name for interface in self._topology.host(name).interfaces]
        commands = [{"delete": {"table": _table()}}] if up else list(_partition(devices))
        where, text = targets.namespace(self._topology, name), json.dumps({"nftables": commands})
        try:
            self._executor.feed(where, [program("nft") or "nft", "-j", "-f", "-"], text)
        except (LabError, OSError):
            require(targets.NEEDS["node"])  # if that is the reason, it says what to do
            raise

    def _daemon(self, name: str, up: bool) -> None:
        host, daemon = targets.daemon(self._plan(), name)
        (self._daemons.revive if up else self._daemons.kill)(host, daemon)


def _table() -> dict[str, str]:
    return {"family": "netdev", "name": _TABLE}


def _partition(devices: list[str]) -> Iterator[dict[str, Any]]:
    """The commands of nft (libnftables-json(5)) that lose all that passes some interfaces."""
    mark = {"meta": {"key": "mark"}}
    yield {"add": {"table": _table()}}
    for number, device in enumerate(devices):
        yield from _chain(f"in-{number}", "ingress", device, {"drop": None})
        lose = ({"mangle": {"key": mark, "value": _LOST}}, {"fwd": {"dev": "lo"}})
        yield from _chain(f"out-{number}", "egress", device, *lose)
    lost = {"match": {"op": "==", "left": mark, "right": _LOST}}
    yield from _chain("lost", "ingress", "lo", lost, {"drop": None})


def _chain(name: str, hook: str, device: str, *statements: Any) -> Iterator[dict[str, Any]]:
    place = {"family": "netdev", "table": _TABLE}
    hooked = {"type": "filter", "hook": hook, "prio": _FIRST, "dev": device}
    yield {"add": {"chain": {**place, "name": name, **hooked}}}
    yield {"add": {"rule": {**place, "chain": name, "expr": list(statements)}}}
