"""A transaction of nftables, straight to the kernel.

``nft`` asks for all chains and sets of all tables before it does anything: with 10,000 Services
in kube-proxy's structure that takes three times as long as the change itself. Here a transaction is
one message with everything in it (``NFNL_MSG_BATCH_BEGIN`` … ``END``): the kernel does it whole or
not at all, and has done so when the system call returns.

Source: ``linux/netfilter/nfnetlink.h``, ``net/netfilter/nfnetlink.c`` (``nfnetlink_rcv_batch``):
each message that cannot be done is answered with an error that has its number and, of elements, the
place within the message; then nothing is done.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence

from testbed.errors import LabError
from testbed.kernel.nftmessages import Message, encode
from testbed.kernel.nftreader import Unknown
from testbed.proxy.nft import AddElements, Command, DeleteElements

_BEGIN, _END = 16, 17
_REQUEST = 1
_NFTABLES = 10
_ERROR = 2
_NETFILTER = 12  # NETLINK_NETFILTER
_NETLINK, _SHORT_ANSWERS, _EXTENDED_ANSWERS = 270, 10, 11  # SOL_NETLINK and its options
_SNDBUFFORCE, _RCVBUFFORCE = 32, 33
_ANSWERS = 1 << 20
_OFFSET = 2  # NLMSGERR_ATTR_OFFS
_ELEMENTS = 3  # NFTA_SET_ELEM_LIST_ELEMENTS

_HEADER = struct.Struct("=IHHII")
_AROUND = struct.Struct("=IHHIIBBH")


def commit(where: str, commands: Iterable[Command | str]) -> bool:
    """Carries out a transaction in the namespace that the thread is in.

    Args:
        where: That namespace, for messages.
        commands: The transaction.

    Returns:
        Whether it was done; if not, something in it is for nft alone to understand.

    Raises:
        LabError: The kernel refuses it; nothing of it was done.
    """
    try:
        messages = encode(commands)
    except Unknown:
        return False
    send(where, messages, batch(messages))
    return True


def batch(messages: Sequence[Message]) -> bytes:
    """All messages as one, numbered from 1 on."""
    buffer = bytearray(_around(_BEGIN, 0))
    for sequence, one in enumerate(messages, 1):
        start = len(buffer)
        buffer += one.data
        struct.pack_into("=I", buffer, start + 8, sequence)
    buffer += _around(_END, len(messages) + 1)
    return bytes(buffer)


def _around(kind: int, sequence: int) -> bytes:
    head = (_AROUND.size, kind, _REQUEST, sequence, 0)
    return _AROUND.pack(*head, socket.AF_UNSPEC, 0, socket.htons(_NFTABLES))


def send(where: str, messages: Sequence[Message], data: bytes) -> None:
    """Sends what :func:`batch` has made of the messages.

    Raises:
        LabError: The kernel refuses it; nothing of it was done.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as link:
        link.setsockopt(socket.SOL_SOCKET, _SNDBUFFORCE, len(data) + _ANSWERS)
        link.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, _ANSWERS)
        for option in (_SHORT_ANSWERS, _EXTENDED_ANSWERS):
            link.setsockopt(_NETLINK, option, 1)
        try:
            link.send(data)
            answer = link.recv(_ANSWERS, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return  # nothing to complain of
        except OSError as error:
            raise LabError(f"{where}: nftables: {error.strerror}") from None
    _complain(where, messages, answer)


def _complain(where: str, messages: Sequence[Message], answer: bytes) -> None:
    """Raises what the kernel says of the first message that it refuses."""
    length, kind, _, sequence, _ = _HEADER.unpack_from(answer)
    code = -struct.unpack_from("=i", answer, _HEADER.size)[0] if kind == _ERROR else 0
    if not code:
        return
    said = "the transaction"
    if 0 < sequence <= len(messages):
        said = _said(messages[sequence - 1], answer[2 * _HEADER.size + 4 : length])
    raise LabError(f"{where}: nftables: {said}: {os.strerror(code)}")


def _said(message: Message, details: bytes) -> str:
    """What a message does; of one with elements, only the one that is wrong, if that is said."""
    place = next((_word(v) for kind, _, v in _attributes(details, 0) if kind == _OFFSET), 0)
    said = message.said
    if message.elements and isinstance(said, AddElements | DeleteElements):
        lists = (at for kind, at, _ in _attributes(message.data, _AROUND.size) if kind == _ELEMENTS)
        found = list(_attributes(message.data, next(lists) + 4))
        for one, (_, start, value) in zip(message.elements, found, strict=True):
            if start <= place < start + 4 + len(value):
                return str(said._replace(elements=(one,)))
    return str(said)


def _attributes(data: bytes, at: int) -> Iterator[tuple[int, int, bytes]]:
    """Number, place and value of attributes that stand one after the other."""
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        yield kind & 0x3FFF, at, data[at + 4 : at + length]
        at += length + 3 & ~3


def _word(value: bytes) -> int:
    return int(struct.unpack_from("=I", value)[0])
