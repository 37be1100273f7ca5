"""Who is at the other end of a connection: only the lab's owner and root get in from outside.

A UNIX socket says so itself (``SO_PEERCRED``, unix(7)). A TCP connection over loopback has its
other end on the same machine, and the kernel's table of connections says whose it is: the column
``uid`` of ``/proc/net/tcp`` (proc_pid_net(5)). So a loopback port is as private as a socket of
mode 0600.
"""

from __future__ import annotations

import os
import socket
import struct
import sys

_CREDENTIALS = struct.Struct("3i")
_PIECE = 1 << 16


def of_unix(connection: socket.socket) -> int:
    """The user at the other end of a UNIX socket."""
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(data)[1])


def of_loopback(connection: socket.socket, table: int) -> int | None:
    """The user at the other end of a TCP connection within this machine.

    Args:
        connection: The accepted end.
        table: A descriptor of ``/proc/net/tcp``, opened in the connection's network namespace.

    Returns:
        None if the other end is not there any more, or not on this machine.
    """
    return owner(_read(table), connection.getpeername(), connection.getsockname())


def owner(table: str, local: tuple[str, int], remote: tuple[str, int]) -> int | None:
    """The user of the socket with these two addresses; None if no process has it open."""
    wanted = [_address(*local), _address(*remote)]
    for line in table.splitlines()[1:]:
        columns = line.split()
        if columns[1:3] == wanted and columns[9] != "0":  # without inode: closed
            return int(columns[7])
    return None


def _address(host: str, port: int) -> str:
    """An IPv4 address and port as the table has them: the address in the machine's byte order."""
    number = int.from_bytes(socket.inet_aton(host), sys.byteorder)
    return f"{number:08X}:{port:04X}"


def _read(table: int) -> str:
    os.lseek(table, 0, os.SEEK_SET)
    parts = []
    while part := os.read(table, _PIECE):
        parts.append(part)
    return b"".join(parts).decode()
