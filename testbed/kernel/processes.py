"""Processes of containers: started in a pod's namespaces, watched by descriptor."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO

from testbed.kernel import join


def spawn(
    argv: Sequence[str],
    namespaces: join.Descriptors,
    environment: Mapping[str, str],
    directory: str | None,
    output: int | IO[bytes],
) -> subprocess.Popen[bytes]:
    """Starts a program, the leader of a process group of its own, without input.

    Args:
        argv: Program and arguments.
        namespaces: Descriptors of those that it is to be in.
        environment: Its variables.
        directory: Where it starts; None for where this process is.
        output: Takes what it prints.
    """
    where = [f"--wdns={directory}"] if directory else []
    line = join.command(namespaces, argv)
    return subprocess.Popen(
        [line[0], *where, *line[1:]],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=dict(environment),
        pass_fds=tuple(namespaces.values()),
        start_new_session=True,
    )


async def ended(process: subprocess.Popen[bytes]) -> int:
    """Waits for a process by its descriptor, without a thread or a look now and then.

    What is left of its process group is killed, as the end of a container's process 1 does it.

    Returns:
        The exit code; a signal's number, negative, if one ended it.
    """
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    descriptor = os.pidfd_open(process.pid)
    loop.add_reader(descriptor, done.set)
    try:
        await done.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    os.killpg(process.pid, signal.SIGKILL)  # before it is reaped: the number is still its own
    return process.wait()
