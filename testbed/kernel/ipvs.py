"""Carries out changes of IPVS in a node's namespace, by netlink, no process per Service.

A virtual server is there before its entries of sets, these before its address, and they go in the
opposite order: what reaches an address always finds its server.

A real server of TCP that is to go gets no new connections (weight 0), and goes as soon as it has
none any more. The kernel does not tell when that is, so it is looked at every 10 seconds, while
there is one. Those of UDP and SCTP go at once; ``expire_nodest_conn`` ends what they had.

Source: ``pkg/proxy/ipvs/graceful_termination.go``, Kubernetes 1.34.
"""

from __future__ import annotations

import errno
import sys
import threading
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from testbed.errors import LabError
from testbed.kernel import ipvsmessages as messages
from testbed.kernel import netlink
from testbed.kernel.ipvsservers import Leaving, Servers, demand
from testbed.kernel.netns import NetNs
from testbed.plan.model import Address
from testbed.proxy.ipvs import Ipvs

DEVICE = "kube-ipvs0"
"""Has the addresses of all Services; it is never up, which local addresses need not be."""

PERIOD = 10.0
"""Seconds between two looks at real servers that are to go."""

_lock = threading.Lock()
_nodes: WeakKeyDictionary[NetNs, _Node] = WeakKeyDictionary()


def carry_out(netns: NetNs, step: Ipvs) -> None:
    """Does a step; the thread must be in the namespace.

    Raises:
        LabError: The kernel refuses something; the step can be done again.
    """
    with _lock:
        node = _nodes.setdefault(netns, _Node())
    with node.lock:
        _make(netns, step)
        with messages.connect(messages.GENERIC) as link:
            kernel = Servers(netns.name, link)
            kernel.add(step)
            _entries(netns, messages.ADD, step)
            _addresses(netns, step.addresses)
            _addresses(netns, step.gone_addresses, delete=True)
            _entries(netns, messages.DELETE, step)
            node.leaving |= kernel.remove(step)
            node.leaving = kernel.sweep(node.leaving)
        node.watch(netns)


def _make(netns: NetNs, step: Ipvs) -> None:
    """Makes the sets and the device."""
    if not step.sets:
        return
    kinds = [messages.make_set(name, kind) for name, kind in step.sets.items()]
    with messages.connect(messages.NETFILTER) as link:
        demand(netns.name, "ipset", messages.send(link, kinds))
    with messages.connect(messages.ROUTE) as link:  # the kernel chooses the number
        demand(netns.name, DEVICE, messages.send(link, [netlink.dummy(DEVICE, 0)]), {errno.EEXIST})


def _entries(netns: NetNs, command: int, step: Ipvs) -> None:
    adds = command == messages.ADD
    entries = step.entries if adds else step.gone_entries
    if entries:
        with messages.connect(messages.NETFILTER) as link:
            failed = messages.send(link, [messages.entry(command, one) for one in entries])
        demand(netns.name, "ipset", failed)


def _addresses(netns: NetNs, addresses: Sequence[str], *, delete: bool = False) -> None:
    if addresses:
        index = netns.index(DEVICE)
        items = (Address(DEVICE, f"{one}/32") for one in addresses)
        with messages.connect(messages.ROUTE) as link:
            failed = messages.send(link, [netlink.address(i, index, delete=delete) for i in items])
        demand(netns.name, DEVICE, failed, {errno.EADDRNOTAVAIL if delete else errno.EEXIST})


class _Node:
    """The real servers of a node that are to go."""

    def __init__(self) -> None:
        self.lock, self.leaving = threading.Lock(), Leaving()
        self._watched = False

    def watch(self, netns: NetNs) -> None:
        """Starts a thread that looks at them until there is none; the lock is held."""
        if self.leaving and not self._watched:
            self._watched = True
            threading.Thread(target=self._run, args=(netns,), name="leaving", daemon=True).start()

    def _run(self, netns: NetNs) -> None:
        pause = threading.Event()  # never set: nothing tells that a connection has ended
        with netns.entered():
            while not pause.wait(PERIOD):
                with self.lock:
                    self._look(netns)
                    if not self.leaving:
                        self._watched = False
                        return

    def _look(self, netns: NetNs) -> None:
        try:
            with messages.connect(messages.GENERIC) as link:
                self.leaving = Servers(netns.name, link).sweep(self.leaving)
        except LabError as error:  # the next look tries again
            print(f"proxies: {error}", file=sys.stderr, flush=True)
