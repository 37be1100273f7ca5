"""Which parts of this project run on this machine, and what the others take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from testbed.doctor.features import Feature, split
from testbed.doctor.kernel import KERNEL

Way = Literal["here", "vm", "packages", "kernel"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a part here.

    Attributes:
        part: Its name.
        absent: The features that it lacks.
        way: Where it runs: ``here``; in the virtual machine of ``testbed vm`` (``vm``); after the
            installation of ``packages``; with another ``kernel`` only.
    """

    part: str
    absent: tuple[str, ...]
    way: Way


def verdicts(
    parts: Mapping[str, Sequence[str]], found: Mapping[str, Feature], *, in_vm: bool
) -> list[Verdict]:
    """The verdict on each part, in their order.

    Args:
        parts: Part → the features that it needs.
        found: Name → feature, of all of them.
        in_vm: Whether this is the virtual machine already.
    """
    return [_verdict(part, needs, found, in_vm) for part, needs in parts.items()]


def _verdict(part: str, needs: Sequence[str], found: Mapping[str, Feature], in_vm: bool) -> Verdict:
    absent = tuple(name for name in dict.fromkeys(needs) if not found[name].present)
    programs, kernel = split(absent)
    if kernel:
        newer = any(KERNEL[name].since for name in kernel)
        return Verdict(part, absent, "kernel" if in_vm or newer else "vm")
    return Verdict(part, absent, "packages" if programs else "here")
