"""Who is at the other end of a connection."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_builders import store
from api_server import Running

from testbed.api import peers
from testbed.api.guard import LOOPBACK, Door

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 ff
   1: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 101 1 ff
   2: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 102 1 ff
   3: 0100007F:C351 0100007F:1F90 06 00000000:00000000 03:00000000 00000000     0        0 0 3 ff
"""
HERE = "127.0.0.1"


@pytest.mark.skipif(sys.byteorder != "little", reason="the table above is of such a machine")
def test_the_owner_is_that_of_the_socket_with_both_addresses() -> None:
    assert peers.owner(TABLE, (HERE, 50000), (HERE, 8080)) == 1000
    assert peers.owner(TABLE, (HERE, 8080), (HERE, 50000)) == 0
    assert peers.owner(TABLE, (HERE, 50002), (HERE, 8080)) is None


@pytest.mark.skipif(sys.byteorder != "little", reason="the table above is of such a machine")
def test_a_socket_that_is_closed_is_nobodys() -> None:
    assert peers.owner(TABLE, (HERE, 50001), (HERE, 8080)) is None


def test_a_unix_socket_says_whose_it_is() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peers.of_unix(ours) == os.geteuid()


@pytest.fixture
def running() -> Iterator[Running]:
    """A server with a loopback door."""
    with Path("/proc/self/net/tcp").open("rb") as table:
        made = Running(store("a"), lambda listener: Door(LOOPBACK, listener, table.fileno()))
        yield made
        made.end()


def test_a_loopback_port_lets_its_user_in(running: Running) -> None:
    assert running.get("/healthz") == (200, "ok")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
def test_a_loopback_port_lets_nobody_else_in(running: Running) -> None:
    connection = socket.socket()
    os.fchown(connection.fileno(), 65534, 65534)  # the socket's user is that of its inode
    connection.connect((HERE, running.port))
    with connection, pytest.raises(ConnectionError):
        connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert connection.recv(100) != b""
        pytest.fail("an answer came")
