"""Network namespaces of a lab: made, held by descriptor, entered by a thread, sent netlink batches.

A namespace has no process and no name in the file system: it lives as long as the daemon holds its
descriptor, and so ends with the lab.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from testbed.errors import LabError
from testbed.kernel import netlink, syscalls

_CHUNK = 400  # messages in one send: what they need stays below the default socket buffer
_FIRST_INDEX = 1000  # of the interfaces that we make: above those that the fabric has
_NETLINK_BUFFER = 1 << 20
_PATIENCE = 30  # seconds for the kernel to answer

EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE})
"""Error numbers that have nothing to do with what was asked for."""

Message = tuple[object, bytes]
"""An item of the plan (for error messages) and its netlink message."""


class NetNs:
    """One network namespace.

    Args:
        name: Its name in the plan.
        descriptor: An open descriptor of it, which this object owns.
    """

    def __init__(self, name: str, descriptor: int) -> None:
        self.name, self.descriptor = name, descriptor
        self._indices: dict[str, int] = {"lo": 1}
        self._next = _FIRST_INDEX
        self._socket: socket.socket | None = None

    @classmethod
    def make(cls, name: str) -> NetNs:
        """A new namespace, without IPv6 (this lab's clusters are IPv4), which the thread is in."""
        syscalls.unshare(syscalls.CLONE_NEWNET)
        made = cls(name, os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        try:
            made._open()
            made.write_sysctl("net/ipv6/conf/default/disable_ipv6", "1")
        except BaseException:
            made.close()
            raise
        return made

    @contextmanager
    def entered(self) -> Iterator[None]:
        """The calling thread in this namespace; it stays there until it enters another."""
        syscalls.setns(self.descriptor, syscalls.CLONE_NEWNET)
        yield

    def _open(self) -> socket.socket:
        """The netlink socket, which belongs to the namespace that the thread is in when made."""
        if self._socket is None:
            made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _NETLINK_BUFFER)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _NETLINK_BUFFER)
            made.settimeout(_PATIENCE)
            made.bind((0, 0))
            self._socket = made
        return self._socket

    def allocate(self, device: str, index: int | None = None) -> int:
        """An interface index for a device that is about to be made."""
        if index is None:
            index, self._next = self._next, self._next + 1
        self._indices[device] = index
        return index

    def index(self, device: str) -> int:
        """The interface index of a device; the thread must be in this namespace.

        Raises:
            LabError: There is no such device.
        """
        if device not in self._indices:
            try:
                self._indices[device] = socket.if_nametoindex(device)
            except OSError as error:
                if error.errno in EXHAUSTED:
                    raise
                raise LabError(f"{self.name} has no interface {device}") from None
        return self._indices[device]

    def devices(self) -> set[str]:
        """The devices that are there; the thread must be in this namespace.

        What was known of their indices is what the kernel says from now on.
        """
        self._indices = {name: index for index, name in socket.if_nameindex()}
        return set(self._indices)

    def forget(self, device: str) -> None:
        """Forgets the index of a device that was deleted."""
        self._indices.pop(device, None)

    def send(self, messages: Sequence[Message], forgiven: Collection[int] = ()) -> None:
        """Has the kernel carry out all messages, in their order.

        Args:
            messages: What to carry out.
            forgiven: Error numbers that are none.

        Raises:
            LabError: The kernel refuses one; the message says which and why. The others are done.
        """
        for start in range(0, len(messages), _CHUNK):
            self._send(messages[start : start + _CHUNK], forgiven)

    def _send(self, messages: Sequence[Message], forgiven: Collection[int]) -> None:
        if self._socket is None:
            with self.entered():
                self._open()
        link = self._open()
        link.send(netlink.numbered([item[1] for item in messages], 1))
        failed, last = [], len(messages) - 1
        done = False
        while not done:
            try:
                data = link.recv(_NETLINK_BUFFER)
            except TimeoutError:
                raise LabError(f"{self.name}: the kernel does not answer") from None
            for number, code in netlink.answers(data, 1):
                failed += [(number, code)] * (code != 0 and code not in forgiven)
                done = done or number == last
        if failed:
            number, code = failed[0]
            raise LabError(f"{self.name}: {messages[number][0]}: {os.strerror(code)}")

    def write_sysctl(self, key: str, value: str) -> None:
        """Sets a kernel parameter; the thread must be in this namespace.

        Raises:
            LabError: There is no such parameter, or the value is refused.
        """
        try:
            Path("/proc/sys", key).write_text(value)
        except OSError as error:
            if error.errno in EXHAUSTED:
                raise
            raise LabError(f"{self.name}: sysctl {key}={value}: {error.strerror}") from None

    def release_socket(self) -> None:
        """Closes the netlink socket; the next batch opens one again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        """Gives the namespace back; the kernel frees it when nobody else is in it."""
        self.release_socket()
        os.close(self.descriptor)
