"""Names of the slices that controllers make: ``web-x2x4q``.

The API server makes them from ``metadata.generateName`` (``apiserver/pkg/storage/names``): cut so
that five letters fit. The real letters are random, these follow from the Service.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from testbed.cluster.workloads import hashed, word
from testbed.objects import EndpointSlice

_LETTERS = 5
_MOST = 63


class Names:
    """New names for the slices of one Service.

    Args:
        key: Namespace and name of the Service.
        existing: Its slices as they were.
        kept: Names that go on being used, and None for each new slice.
    """

    def __init__(
        self,
        key: tuple[str, str],
        existing: Sequence[EndpointSlice],
        kept: Iterable[str | None],
    ) -> None:
        self._key, self._used = key, {name for name in kept if name is not None}
        old = [item.metadata.name for item in existing]
        # A new slice takes the place of one that goes, as the real controller has it.
        self._freed = [name for name in reversed(old) if name not in self._used]

    @staticmethod
    def prefix(service: str) -> str:
        """What the names begin with (``metadata.generateName``)."""
        return f"{service}-"

    def take(self, *what: object) -> str:
        """A name for a new slice; it follows from what it holds, too."""
        if self._freed:
            self._used.add(self._freed[-1])
            return self._freed.pop()
        base = self.prefix(self._key[1])[: _MOST - _LETTERS]
        number = hashed(f"{self._key}{what}")
        while (name := base + word(number, _LETTERS)) in self._used:
            number += 1
        self._used.add(name)
        return name
