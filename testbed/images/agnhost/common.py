"""What the subcommands share: flags and durations as Go has them, the log, sockets."""

from __future__ import annotations

import argparse
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import NoReturn

_DURATION = re.compile(r"(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+|0")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

SCTP = 132
"""IPPROTO_SCTP, which Python does not name."""


def duration(text: str) -> float:
    """Seconds of a Go duration: ``3s``, ``1m30s``, ``250ms``.

    Raises:
        ValueError: It is none.
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(f'time: invalid duration "{text}"')
    parts = re.findall(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)", text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def flags(command: str) -> argparse.ArgumentParser:
    """A parser for a subcommand's flags; abbreviations are no flags, as in Go."""
    return argparse.ArgumentParser(prog=f"agnhost {command}", allow_abbrev=False)


def boolean(parser: argparse.ArgumentParser, name: str, default: bool, text: str) -> None:
    """Adds a flag that may stand alone or have a value after ``=``."""
    parser.add_argument(name, nargs="?", const=True, default=default, type=_truth, help=text)


def _truth(text: str) -> bool:
    """A boolean as Go's strconv.ParseBool reads it."""
    if text not in {
        "1",
        "t",
        "T",
        "true",
        "TRUE",
        "True",
        "0",
        "f",
        "F",
        "false",
        "FALSE",
        "False",
    }:
        raise argparse.ArgumentTypeError(f"invalid boolean value {text!r}")
    return text[0] in "1tT"


def log(text: str) -> None:
    """A line on stderr with the time, as Go's log prints it."""
    stamp = time.strftime("%Y/%m/%d %H:%M:%S")
    os.write(sys.stderr.fileno(), f"{stamp} {text}\n".encode())


def fatal(text: str) -> NoReturn:
    """Logs and ends the whole process with exit code 1, from whichever thread."""
    log(text)
    os._exit(1)


def start(serve: Callable[..., None], *arguments: object) -> None:
    """Runs a server in a thread that ends with the process."""
    threading.Thread(target=serve, args=arguments, daemon=True).start()


def bound(kind: int, port: int, protocol: int = 0) -> socket.socket:
    """A socket on a port of all addresses, IPv6 and IPv4, or IPv4 where there is no IPv6."""
    for family, address in ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):  # noqa: S104
        try:
            opened = socket.socket(family, kind, protocol)
        except OSError:
            if family == socket.AF_INET:
                raise
            continue
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
            if family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            opened.bind((address, port))
        except OSError as error:
            opened.close()
            if family == socket.AF_INET:
                fatal(f"listen on port {port}: {error.strerror}")
            continue
        return opened
    raise AssertionError("the last family returns or raises")


def listening(port: int, protocol: int = 0) -> socket.socket:
    """A stream socket that listens on a port of all addresses."""
    opened = bound(socket.SOCK_STREAM, port, protocol)
    opened.listen(socket.SOMAXCONN)
    return opened


def peer(address: tuple[object, ...]) -> str:
    """A socket address as Go prints it: ``10.0.0.1:80``, ``[::1]:80``."""
    host = str(address[0]).removeprefix("::ffff:")
    return f"[{host}]:{address[1]}" if ":" in host else f"{host}:{address[1]}"
