"""What the ports that have not changed use of what others are about to take or to leave.

There are many of them, so nobody looks at them all: an index says which ports use a chain, have an
element or claim an address (:func:`testbed.cluster.history.index`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from collections.abc import Set as AbstractSet

from testbed.cluster.history import index
from testbed.cluster.serviceview import ServicePortName
from testbed.proxy.modes._nftfragment import Fragment, Fragments
from testbed.proxy.nft import Element


class Others:
    """The ports that have not changed.

    Args:
        fragments: All ports.
        changed: Those that have changed.
    """

    def __init__(self, fragments: Fragments, changed: AbstractSet[ServicePortName]) -> None:
        self._fragments, self._changed = fragments, changed
        self._users = index(fragments, _used)

    def chains(self, names: AbstractSet[str]) -> set[str]:
        """Those of the chains that one of them uses."""
        return {name for name in names if self._any(("chain", name))}

    def without(self, elements: AbstractSet[Element]) -> set[Element]:
        """Those of the elements that none of them has."""
        return {one for one in elements if not self._any(one)}

    def rivals(self, keys: AbstractSet[str]) -> dict[ServicePortName, Fragment]:
        """Those of them that claim one of the addresses."""
        claims = (self._users.get(("address", key), set()) for key in keys)
        names = {name for users in claims for name in users}
        return {name: self._fragments[name] for name in names - self._changed}

    def _any(self, used: Hashable) -> bool:
        """Whether one of them uses it; a chain's users may be all there are."""
        users = self._users.get(used, set())
        return any(name not in self._changed for name in users)


def _used(fragment: Fragment) -> Iterator[Hashable]:
    """What a port may have in common with others."""
    yield from (("address", key) for key in fragment.claims)
    yield from (("chain", chain.name) for chain in fragment.chains if "/" not in chain.name)
    yield from fragment.shared
