"""The virtual and real servers of one namespace, as its kernel has them."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Sequence
from typing import TypeVar

from testbed.errors import LabError
from testbed.kernel import ipvsmessages as messages
from testbed.proxy.ipvs import Ipvs, VirtualServer

Leaving = set[tuple[VirtualServer, messages.Real]]
"""Real servers that are to go, each with its virtual one."""

_T = TypeVar("_T")
_GONE = frozenset({errno.ENOENT, errno.ESRCH})


def demand(
    where: str,
    what: str,
    failed: Sequence[tuple[int, int]],
    tolerated: set[int] | frozenset[int] = frozenset(),
) -> None:
    """Raises :class:`LabError` if the kernel has refused a message, but for tolerated reasons."""
    for _, code in failed:
        if code not in tolerated:
            raise LabError(f"{where}: {what}: {os.strerror(code)}")


class Servers:
    """IPVS of the namespace that the thread is in.

    Args:
        where: Name of the namespace, for messages.
        link: A socket of generic netlink in it.
    """

    def __init__(self, where: str, link: socket.socket) -> None:
        self._where, self._link, self._family = where, link, messages.family(link)

    def add(self, step: Ipvs) -> None:
        """Makes and changes virtual servers, and adds real ones."""
        was = {one.key: one for one in step.old}
        self._new(
            [one for one in step.new if one.key not in was or _differ(one, was[one.key])],
            lambda one, again: messages.server(
                self._family, messages.SET_SERVICE if again else messages.NEW_SERVICE, one
            ),
        )
        self._new(
            [
                (one, at)
                for one in step.new
                for at in one.real
                if one.key not in was or at not in was[one.key].real
            ],
            lambda pair, again: messages.real(
                self._family, messages.SET_DEST if again else messages.NEW_DEST, *pair
            ),
        )

    def _new(self, items: Sequence[_T], encode: Callable[[_T, bool], bytes]) -> None:
        """Makes what is not there, and changes what is."""
        failed = messages.send(self._link, [encode(item, False) for item in items])
        demand(self._where, "IPVS", failed, {errno.EEXIST})
        again = [encode(items[number], True) for number, _ in failed]
        demand(self._where, "IPVS", messages.send(self._link, again))

    def remove(self, step: Ipvs) -> Leaving:
        """Removes virtual and real servers; those of TCP that have only lost their weight."""
        now = {one.key: one for one in step.new}
        gone = [one for one in step.old if one.key not in now]
        self._send([messages.server(self._family, messages.DELETE_SERVICE, one) for one in gone])
        ends = [
            (now[one.key], at)
            for one in step.old
            if one.key in now
            for at in one.real
            if at not in now[one.key].real
        ]
        slow = {(one, at) for one, at in ends if one.protocol == "TCP"}
        self._send([self._end(one, at, (one, at) in slow) for one, at in ends])
        return slow

    def _end(self, one: VirtualServer, at: messages.Real, slowly: bool) -> bytes:
        command = messages.SET_DEST if slowly else messages.DELETE_DEST
        return messages.real(self._family, command, one, at, 0)

    def sweep(self, leaving: Leaving) -> Leaving:
        """Removes those without weight and connections; those that still have connections."""
        known = {one: messages.weights(self._link, self._family, one) for one, _ in leaving}
        idle = [pair for pair in leaving if known[pair[0]].get(pair[1]) == (0, 0)]
        self._send([self._end(one, at, False) for one, at in idle])
        return {(one, at) for one, at in leaving if known[one].get(at, (1, 0))[0] == 0} - {*idle}

    def _send(self, batch: Sequence[bytes]) -> None:
        demand(self._where, "IPVS", messages.send(self._link, batch), _GONE)


def _differ(one: VirtualServer, other: VirtualServer) -> bool:
    return (one.scheduler, one.persistence) != (other.scheduler, other.persistence)
