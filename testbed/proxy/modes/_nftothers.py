"""What the ports that have not changed use of what others are about to take or to leave.

There are many of them, so each question looks at one only as long as it has to: a chain that
nearly every port uses is found at the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from testbed.cluster.serviceview import ServicePortName
from testbed.proxy.modes._nftfragment import Fragment, Fragments
from testbed.proxy.nft import Element


class Others:
    """The ports that have not changed.

    Args:
        fragments: All ports.
        changed: The fragments of those that have changed.
    """

    def __init__(self, fragments: Fragments, changed: Iterable[Fragment]) -> None:
        self._fragments, self._changed = fragments, {id(one) for one in changed}

    def chains(self, names: AbstractSet[str]) -> set[str]:
        """Those of the chains that one of them uses."""
        left = set(names)
        for one in self._each() if left else ():
            for chain in one.chains:
                left.discard(chain.name)
            if not left:
                break
        return set(names) - left

    def without(self, elements: AbstractSet[Element]) -> set[Element]:
        """Those of the elements that none of them has."""
        left = set(elements)
        for one in self._each() if left else ():
            if not one.shared.isdisjoint(left):
                left -= one.shared
                if not left:
                    break
        return left

    def rivals(self, keys: AbstractSet[str]) -> dict[ServicePortName, Fragment]:
        """Those of them that claim one of the addresses."""
        return {
            name: one
            for name, one in self._fragments.items()
            if not one.claims.keys().isdisjoint(keys) and id(one) not in self._changed
        }

    def _each(self) -> Iterator[Fragment]:
        return (one for one in self._fragments.values() if id(one) not in self._changed)
