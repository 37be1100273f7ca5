"""Messages on the control socket: whole, with descriptors, and from a peer that goes away."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from testbed.lab import protocol

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5)
        theirs.settimeout(5)
        yield ours, theirs


@pytest.mark.parametrize(
    "value", [None, [], {"verb": "info"}, {"text": "é\n\0"}, list(range(1000)), 1.5]
)
def test_a_value_comes_as_it_was_sent(pair: Pair, value: Any) -> None:
    protocol.send(pair[0], value)
    assert protocol.receive(pair[1]) == (value, [])


def test_a_message_larger_than_the_socket_buffer(pair: Pair) -> None:
    value = "x" * 5_000_000
    sender = threading.Thread(target=protocol.send, args=(pair[0], value))
    sender.start()
    assert protocol.receive(pair[1])[0] == value
    sender.join()


def test_messages_do_not_run_into_each_other(pair: Pair) -> None:
    for number in range(3):
        protocol.send(pair[0], number)
    assert [protocol.receive(pair[1])[0] for _ in range(3)] == [0, 1, 2]


def test_descriptors_come_with_their_message(pair: Pair) -> None:
    read, write = os.pipe()
    protocol.send(pair[0], "first")
    protocol.send(pair[0], "second", [read, write])
    os.close(read)
    os.close(write)
    assert protocol.receive(pair[1]) == ("first", [])
    value, (theirs_read, theirs_write) = protocol.receive(pair[1])
    assert value == "second"
    assert not os.get_inheritable(theirs_read)
    os.write(theirs_write, b"through")
    assert os.read(theirs_read, 10) == b"through"
    os.close(theirs_read)
    os.close(theirs_write)


def test_a_length_that_comes_in_pieces(pair: Pair) -> None:
    whole = struct.pack("!I", 4) + b"true"
    pair[0].send(whole[:1])
    late = threading.Timer(0.02, lambda: pair[0].send(whole[1:]))
    late.start()
    assert protocol.receive(pair[1]) == (True, [])
    late.join()


@pytest.mark.parametrize("before", [b"", b"\0\0", struct.pack("!I", 10), b"\0\0\0\x0a12345"])
def test_a_peer_that_goes_away(pair: Pair, before: bytes) -> None:
    pair[0].sendall(before)
    pair[0].close()
    with pytest.raises(EOFError):
        protocol.receive(pair[1])


def test_a_peer_that_goes_away_with_our_message_unread(pair: Pair) -> None:
    protocol.send(pair[1], "never read")
    pair[0].close()  # the kernel says ECONNRESET, not end of file
    with pytest.raises(EOFError):
        protocol.receive(pair[1])


def test_sending_to_nobody(pair: Pair) -> None:
    pair[1].close()
    with pytest.raises(OSError, match="Broken pipe"):
        protocol.send(pair[0], "hello")
