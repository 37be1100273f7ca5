"""Which labs run: their names, claimed in the kernel and not in files.

A lab's name is an abstract UNIX socket (unix(7)) in the network namespace of its user:
``@testbed/UID/NAME``. Binding it claims the name atomically, and the kernel gives it back when the
supervisor dies, however it dies; so nothing can be left over, and listing labs is reading
``/proc/net/unix``. The same socket is the lab's control socket. An abstract socket has no file
mode, so both ends check the other's user by ``SO_PEERCRED`` instead: only the owner and root get
through, as with mode 0600.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from pathlib import Path

from testbed.errors import InputError, LabError, Where

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")
_CREDENTIALS = struct.Struct("3i")


def check_name(name: str) -> str:
    """The lab name itself, if it is one: a DNS label (RFC 1123) of at most 40 characters.

    Raises:
        InputError: It is none.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"invalid lab name {name!r}",
            where=Where("--lab"),
            hint="A name has at most 40 lower-case letters, digits and '-', and starts and ends "
            "with a letter or digit.",
        )
    return name


def _address(name: str) -> str:
    return f"\0testbed/{os.geteuid()}/{name}"


def api_socket(name: str) -> socket.socket:
    """The socket on which a lab's Kubernetes API listens outside: ``@testbed/UID/NAME/api``.

    It is private in the same way as the control socket: who accepts looks at ``SO_PEERCRED``.

    Raises:
        LabError: It exists, though no lab of that name runs.
    """
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        server.bind(f"{_address(name)}/api")
    except OSError as error:
        server.close()
        raise LabError(f"the API socket of lab {name!r}: {error.strerror}") from None
    server.listen(128)
    return server


def claim(name: str) -> socket.socket:
    """Takes the name; the socket listens only once the supervisor calls ``listen``.

    Raises:
        InputError: The name is none, or a lab of that name runs.
    """
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        server.bind(_address(check_name(name)))
    except OSError:
        server.close()
        raise InputError(
            f"lab {name!r} already runs",
            where=Where("--lab"),
            hint=f"End it with `testbed --lab {name} down`, or pick another name with --lab.",
        ) from None
    return server


def peer(connection: socket.socket) -> tuple[int, int]:
    """Process and user ID of the other end (of a listening socket: of who called ``listen``)."""
    size = _CREDENTIALS.size
    pid, uid, _ = _CREDENTIALS.unpack(
        connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    )
    return pid, uid


def trusted(connection: socket.socket) -> bool:
    """Whether the other end belongs to this user or to root."""
    return peer(connection)[1] in (0, os.geteuid())


def connect(name: str) -> socket.socket:
    """A connection to the lab's control socket.

    Raises:
        InputError: The name is none.
        LabError: No such lab runs.
    """
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        client.connect(_address(check_name(name)))
    except OSError:
        client.close()
        raise LabError(
            f"no lab {name!r} runs",
            hint="Start one with `testbed up`; `testbed ls` lists those that run.",
        ) from None
    if not trusted(client):
        client.close()
        raise LabError(f"the socket of lab {name!r} belongs to another user")
    return client


def running() -> list[str]:
    """The names of this user's labs, sorted."""
    prefix = f"@testbed/{os.geteuid()}/"
    lines = Path("/proc/net/unix").read_text().splitlines()
    names = (line.split()[-1] for line in lines if prefix in line)
    found = {name.removeprefix(prefix) for name in names if name.startswith(prefix)}
    return sorted(name for name in found if _NAME.fullmatch(name))
