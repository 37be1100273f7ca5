"""The lab daemon: builds the lab, tells whoever started it, and serves until the sandbox ends."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import threading
import traceback
from contextlib import suppress
from typing import Any, NoReturn

from testbed.errors import LabError, TestbedError
from testbed.kernel import syscalls
from testbed.kernel.sandbox import STATE
from testbed.lab import protocol
from testbed.spec import Spec

LOG = STATE / "daemon.log"


def run(
    name: str,
    spec: Spec,
    listener: socket.socket,
    api: socket.socket,
    starter: socket.socket,
    wait: float,
) -> None:
    """Builds and serves a lab; does not return while it is wanted.

    Args:
        name: The lab's name.
        spec: What it shall be.
        listener: Its control socket, listening.
        api: Its API's socket outside, listening.
        starter: Where progress goes: messages ``{"progress"}`` and one of ``{"ready"}`` or
            ``{"error"}``. Until the starter has answered (with anything), its end is the lab's.
        wait: Seconds that pods and routes have to get ready.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    syscalls.set_process_name(f"testbedd:{name}")
    _redirect_output()
    _raise_limits()
    try:
        _serve(name, spec, listener, api, starter, wait)
    except TestbedError as error:
        _tell(starter, {"error": {"exit_code": error.exit_code, "message": str(error)}})
    except Exception as error:
        traceback.print_exc()
        _tell(starter, {"error": {"exit_code": LabError.exit_code, "message": _describe(error)}})


def _describe(error: Exception) -> str:
    return f"internal error: {error!r}\n{''.join(traceback.format_exception(error))}"


def _serve(
    name: str,
    spec: Spec,
    listener: socket.socket,
    api: socket.socket,
    starter: socket.socket,
    wait: float,
) -> NoReturn:
    from testbed.lab.apiserver import Door
    from testbed.lab.lab import Lab
    from testbed.lab.server import Server

    threading.Thread(target=_follow, args=(starter,), name="lease", daemon=True).start()
    lab = Lab(name, spec)
    lab.api.add(Door("owner", api))
    server = Server(lab, listener)
    server.start()
    lab.bring_up(lambda text: _tell(starter, {"progress": text}))
    server.started.set()
    _tell(starter, {"progress": "routes and pods"})
    _tell(starter, {"ready": lab.wait(wait)})
    while True:
        signal.pause()


def _follow(starter: socket.socket) -> None:
    """Ends the lab when the starter ends before it has let go of it."""
    try:
        protocol.receive(starter)
    except (EOFError, OSError):
        os._exit(1)


def _tell(starter: socket.socket, message: dict[str, Any]) -> None:
    with suppress(OSError):
        protocol.send(starter, message)


def _redirect_output() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    null = os.open(os.devnull, os.O_RDONLY)
    log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)


def _raise_limits() -> None:
    """As many open files as may be: each pod's network namespace is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
