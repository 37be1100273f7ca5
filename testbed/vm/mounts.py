"""Mounts that are taken out of the tree of mounts and put back (open_tree(2), move_mount(2))."""

from __future__ import annotations

import ctypes
import os

_SYS_OPEN_TREE = 428  # the same numbers on every architecture
_SYS_MOVE_MOUNT = 429
_OPEN_TREE_CLONE = 1
_AT_RECURSIVE = 0x8000
_AT_FDCWD = -100
_MOVE_MOUNT_F_EMPTY_PATH = 4

_libc = ctypes.CDLL(None, use_errno=True)


def detached(folder: str) -> int:
    """A descriptor of a copy of what is mounted at and below a folder, nowhere mounted itself.

    What is done to the original's flags afterwards does not reach it.

    Raises:
        OSError: The kernel refuses.
    """
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE
    return _call(folder, _SYS_OPEN_TREE, _AT_FDCWD, os.fsencode(folder), flags)


def attach(tree: int, folder: str) -> None:
    """Mounts what :func:`detached` gave on a folder, and closes the descriptor.

    Raises:
        OSError: The kernel refuses.
    """
    place = (_AT_FDCWD, os.fsencode(folder))
    _call(folder, _SYS_MOVE_MOUNT, tree, b"", *place, _MOVE_MOUNT_F_EMPTY_PATH)
    os.close(tree)


def _call(folder: str, number: int, *arguments: int | bytes) -> int:
    typed = (ctypes.c_int(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments)
    result: int = _libc.syscall(ctypes.c_long(number), *typed)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), folder)
    return result
