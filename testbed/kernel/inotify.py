"""Waiting for files to appear or to be written to, told by the kernel (inotify(7))."""

from __future__ import annotations

import ctypes
import os
import select
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_IN_MODIFY, _IN_MOVED_TO, _IN_CREATE = 0x2, 0x80, 0x100
_libc = ctypes.CDLL(None, use_errno=True)


def wait_for(paths: Iterable[Path], seconds: float) -> list[Path]:
    """Waits until all files exist; their folders must exist already.

    Returns:
        The files that still do not exist when the time is over.
    """
    missing = set(paths)
    watcher = _libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        for folder in {path.parent for path in missing}:
            mask = ctypes.c_uint32(_IN_CREATE | _IN_MOVED_TO)
            if _libc.inotify_add_watch(watcher, os.fsencode(folder), mask) < 0:
                raise OSError(ctypes.get_errno(), f"inotify: {folder}")
        end = time.monotonic() + seconds
        poll = select.poll()  # select(2) takes no descriptor above 1023
        poll.register(watcher, select.POLLIN)
        while missing := {path for path in missing if not path.exists()}:
            if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
                break
            os.read(watcher, 1 << 16)
    finally:
        os.close(watcher)
    return sorted(missing)


@contextmanager
def writes(paths: Iterable[Path]) -> Iterator[Callable[[float], None]]:
    """Waits for writing to files that exist: what it yields returns when there was any, or in time.

    What was written since it was called last counts, too.
    """
    watcher = _libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        for path in paths:
            if _libc.inotify_add_watch(watcher, os.fsencode(path), ctypes.c_uint32(_IN_MODIFY)) < 0:
                raise OSError(ctypes.get_errno(), f"inotify: {path}")
        poll = select.poll()
        poll.register(watcher, select.POLLIN)

        def wait(seconds: float) -> None:
            if poll.poll(max(0.0, seconds) * 1000):
                os.read(watcher, 1 << 16)

        yield wait
    finally:
        os.close(watcher)
