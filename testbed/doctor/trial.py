"""Trying what a kernel can do, in throw-away namespaces that the process of the probe has entered.

A trial makes the thing and leaves it to the kernel to free it with the namespaces. It fails by an
exception, whose text is the reason why the feature counts as absent.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import socket
import struct
import subprocess
from functools import cached_property
from pathlib import Path
from typing import Any

from testbed.kernel import syscalls

_BPF_SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
_AF_XDP = 44
_IPPROTO_SCTP = 132
_SOL_TCP, _TCP_CONGESTION, _TCP_ULP = 6, 13, 31
_TUNSETIFF, _IFF_TAP = 0x400454CA, 0x0002

DEVICE = "probe0"
"""A veth interface for what needs one below it."""

_PATIENCE = 60  # seconds; under software emulation nft alone has taken more than 10


class Trial:
    """One child process's trials; they share a pair of veth interfaces."""

    @cached_property
    def _route(self) -> Any:
        from pyroute2 import IPRoute

        return IPRoute()

    @cached_property
    def device(self) -> int:
        """Index of :data:`DEVICE`, which is made when it is first asked for."""
        self._route.link("add", ifname=DEVICE, kind="veth", peer="probe1")
        return int(self._route.link_lookup(ifname=DEVICE)[0])

    def link(self, kind: str, **options: Any) -> None:
        """Makes an interface of a kind."""
        self._route.link("add", ifname=f"p{kind}", kind=kind, **options)

    def link_above(self, kind: str, **options: Any) -> None:
        """Makes an interface of a kind on top of another, which may bear one kind only."""
        self.link(kind, link=self.device, **options)
        self._route.link("del", ifname=f"p{kind}")

    def tc(self, *commands: str) -> None:
        """Carries out commands in which ``probe0`` may be named."""
        assert self.device  # noqa: S101 - it is there from now on
        feed(["tc", "-batch", "-"], "".join(f"{line}\n" for line in commands).encode())

    def nft(self, text: str) -> None:
        """Loads rules, in which ``probe0`` may be named."""
        assert self.device  # noqa: S101 - it is there from now on
        feed(["nft", "-f", "-"], text.encode())

    def generic(self, family: str) -> None:
        """Looks for a family of generic netlink."""
        from pyroute2.netlink import genlmsg
        from pyroute2.netlink.generic import GenericNetlinkSocket

        with GenericNetlinkSocket() as netlink:
            netlink.bind(family, genlmsg)

    def conntrack(self) -> None:
        """Counts the connections that are tracked."""
        from pyroute2 import NFCTSocket

        with NFCTSocket() as netlink:
            netlink.count()

    def ipset(self) -> None:
        """Makes a set of addresses."""
        from pyroute2 import IPSet

        with IPSet() as netlink:
            netlink.create("probe", stype="hash:ip")

    def ktls(self) -> None:
        """Puts the kernel's TLS on a connection over the loopback interface."""
        self._route.link("set", index=1, state="up")
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname()) as client,
        ):
            client.setsockopt(_SOL_TCP, _TCP_ULP, b"tls")


def feed(argv: list[str], text: bytes) -> None:
    """Runs a program with an input.

    Raises:
        OSError: It fails; what it says in its first line.
    """
    done = subprocess.run(argv, input=text, capture_output=True, timeout=_PATIENCE, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise OSError(said.rpartition("Error: ")[2] or f"exit code {done.returncode}")


def write(path: str, text: str) -> None:
    """Sets a parameter that the namespace has only with the feature."""
    Path(path).write_text(text)


def read(path: str) -> None:
    """Reads what the kernel shows of the feature."""
    with Path(path).open("rb") as file:
        file.read(1)


def unshares(flag: int) -> None:
    """Makes one kind of namespace, in a child: a PID namespace lasts as long as its first one."""
    child = os.fork()
    if child == 0:
        try:
            syscalls.unshare(flag)
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, os.strerror(code))


def mounts(kind: str) -> None:
    """Mounts a file system below ``/run``, which is a tmpfs of the child's own."""
    folder = Path("/run", kind)
    folder.mkdir()
    syscalls.mount(kind, str(folder), kind)


def opens(family: int, kind: int, protocol: int = 0) -> None:
    """Opens a socket."""
    socket.socket(family, kind, protocol).close()


def sctp() -> None:
    """Opens an SCTP socket."""
    opens(socket.AF_INET, socket.SOCK_STREAM, _IPPROTO_SCTP)


def af_xdp() -> None:
    """Opens a socket of the family AF_XDP."""
    opens(_AF_XDP, socket.SOCK_RAW)


def bbr() -> None:
    """Takes BBR for a TCP socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(_SOL_TCP, _TCP_CONGESTION, b"bbr")


def tap() -> None:
    """Makes a tap interface (Documentation/networking/tuntap.rst)."""
    with Path("/dev/net/tun").open("r+b", buffering=0) as device:
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", b"ptap", _IFF_TAP))


def bpf() -> None:
    """Loads the program ``return 0`` as a socket filter (bpf(2), BPF_PROG_LOAD)."""
    program = ctypes.create_string_buffer(b"\xb7" + bytes(7) + b"\x95" + bytes(7), 16)
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = (ctypes.c_uint64 * 16)()
    attributes[0] = 1 | 2 << 32  # BPF_PROG_TYPE_SOCKET_FILTER, two instructions
    attributes[1] = ctypes.addressof(program)
    attributes[2] = ctypes.addressof(licence)
    number = _BPF_SYSCALL.get(platform.machine())
    if number is None:
        raise OSError(f"the number of bpf(2) on {platform.machine()} is not known here")
    libc = ctypes.CDLL(None, use_errno=True)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    descriptor = libc.syscall(ctypes.c_long(number), 5, ctypes.byref(attributes), size)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.close(descriptor)
