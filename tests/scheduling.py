"""Which worker of pytest-xdist runs which tests: those of a file in one, those of ``tests/vm`` too.

Tests of a file share labs, and those of ``tests/vm`` one virtual machine, so a file that is spread
over workers builds each of them several times. xdist's `loadgroup` is meant for this, but with
pytest 9.2 it spreads groups without a word (pytest-xdist 3.8, its issue 1386).
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

TOGETHER = "tests/vm"
"""The folder whose files go to one worker."""


def scope(nodeid: str) -> str:
    """What a test is scheduled with: its file, or :data:`TOGETHER`."""
    path = nodeid.partition("::")[0]
    return TOGETHER if path.startswith(f"{TOGETHER}/") else path


class FileScheduling(LoadScopeScheduling):
    """Files in the order of their tests; xdist's own order has those of most tests first."""

    def __init__(self, config: object, log: object) -> None:
        super().__init__(config, log)  # type: ignore[arg-type]
        self.config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return scope(nodeid)
