"""KVM or software emulation: by trying, once for each boot of the machine and each kernel.

``/dev/kvm`` says little: under some hypervisors ordinary guests hang in it. So the first guest is
booted with KVM and a time limit, and what came of it is remembered in the cache.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

TRIAL = 15.0
"""Seconds that a guest has to boot with KVM; it takes two where KVM works."""

_DEVICE = "/dev/kvm"
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Memory:
    """What is known about KVM on this machine.

    Args:
        folder: Of the cache.
        kernel: Version of the guest's kernel.
    """

    def __init__(self, folder: Path, kernel: str) -> None:
        self._file = folder / "kvm.json"
        self._key = f"{_BOOT.read_text().strip()} {kernel}"

    def boots(self) -> bool | None:
        """Whether KVM boots a guest here; None if nobody has tried."""
        if not os.access(_DEVICE, os.R_OK | os.W_OK):
            return False
        known = self._known().get(self._key)
        return known if isinstance(known, bool) else None

    def remember(self, boots: bool) -> None:
        """Writes down what came of a trial, and forgets those before the machine's last boot."""
        boot = self._key.partition(" ")[0]
        known = {key: value for key, value in self._known().items() if key.startswith(boot)}
        text = json.dumps(known | {self._key: boots})
        with suppress(OSError):  # then it is tried again
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part = self._file.with_suffix(f".{os.getpid()}")
            part.write_text(text)
            part.rename(self._file)

    def _known(self) -> dict[str, object]:
        try:
            found = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
