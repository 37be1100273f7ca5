"""``iptables``: kube-proxy's default mode, chain by chain and rule by rule.

The way of a packet to a cluster IP, node port or other address of a Service, in ``nat``::

    PREROUTING, OUTPUT → KUBE-SERVICES → KUBE-SVC-… → KUBE-SEP-…: DNAT
                                       → KUBE-EXT-… → KUBE-SVC-… or KUBE-SVL-…
                         KUBE-NODEPORTS ↗

``KUBE-SERVICES`` is one list of all Services, so the first packet of a connection takes the longer,
the more there are. What must come back through the node is marked with 0x4000 and masqueraded in
``KUBE-POSTROUTING``. The rules are in :mod:`testbed.proxy.modes._iptables_service` and here.

Loading. The rules are kube-proxy's, but not the way they are loaded:

- A full load begins with ``-Z``. The restore of iptables-nft keeps a sorted list of the chains
  that a transaction names and walks it for each line, unless a line names no chain: with it,
  110,000 lines take 2 s; without it, more than 40 s (iptables 1.8.9, ``cache_chain_list_insert`` in
  ``iptables/nft-cache.c``). It also sets the counters of the table to zero.
- A change adds and deletes single rules of the common chains, where kube-proxy writes them anew;
  if more than 100 ports change at once, so does this, because each deletion looks for its rule.
- New rules of ``KUBE-SERVICES`` come first, so that the one for node ports stays the last. The
  order of the others means nothing; kube-proxy's is that of a Go map.
- Chains that are not used any more are deleted in the same transaction.

Differences of what is there: no ``KUBE-PROXY-CANARY`` chain (nobody flushes rules here), no nfacct
counters; the comments that kube-proxy leaves out above 1,000 endpoints are in the chains that were
written before that.

Source: ``pkg/proxy/iptables/proxier.go``, Kubernetes 1.34; ``KUBE-FIREWALL`` is also kubelet's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from testbed.cluster.categorize import Categorized
from testbed.cluster.serviceview import ServicePortInfo, ServicePortName
from testbed.plan.model import Sysctl
from testbed.proxy import options, timeouts
from testbed.proxy.contract import IptablesRestore, ProxyMode, ProxyNode, Step
from testbed.proxy.modes import _iptables_base as base
from testbed.proxy.modes._iptables_names import SERVICES
from testbed.proxy.modes._iptables_service import OPTIONAL, Fragment, fragment

MANY_ENDPOINTS = 1000
"""From here on chains of endpoints get no comments (``largeClusterEndpointsThreshold``)."""

_FEW = 100  # ports whose rules are looked for one by one
_LOCALHOST = "localhost_nodeports"
_OPTIONAL = re.compile(f"{OPTIONAL}[^{OPTIONAL}]*{OPTIONAL}")

Fragments = Mapping[ServicePortName, Fragment]


class IptablesMode(ProxyMode):
    """The contract's parts; see the module for what they mean together."""

    summary = "kube-proxy's rules of iptables"
    needs: tuple[str, ...] = ("iptables", "iptables-services", "conntrack")
    settings: Mapping[str, str] = {**options.COMMON, _LOCALHOST: "true"}

    def check(self, settings: Mapping[str, str]) -> None:
        """Refuses flags that are none, and ranges that are none.

        Raises:
            InputError: There is such.
        """
        options.check(settings, (*options.FLAGS, _LOCALHOST))

    def service(
        self, node: ProxyNode, name: ServicePortName, info: ServicePortInfo, chosen: Categorized
    ) -> Fragment:
        """The port's rules."""
        return fragment(node, name, info, chosen)

    def full(self, node: ProxyNode, fragments: Fragments) -> tuple[Step, ...]:
        """Kernel parameters, and both tables."""
        localhost = base.localhost(node)
        sysctl = (Sysctl("net/ipv4/conf/all/route_localnet", "1"),) if localhost else ()
        return (*timeouts.CONNECTIONS, *sysctl, IptablesRestore(_full(node, fragments)))

    def change(
        self, node: ProxyNode, fragments: Fragments, old: Fragments, new: Fragments
    ) -> tuple[Step, ...]:
        """What differs; where that is much, the common chains are written anew."""
        terse = _many(fragments)
        if len(old.keys() | new.keys()) > _FEW:
            return (IptablesRestore(_anew(node, fragments, old, new, terse)),)
        texts = (_filter(old, new), _nat(old, new, terse))
        return tuple(IptablesRestore(text) for text in texts if text)


def _many(fragments: Fragments) -> bool:
    return sum(one.endpoints for one in fragments.values()) > MANY_ENDPOINTS


def _own(fragments: Iterable[Fragment], terse: bool) -> str:
    """The rules of the ports' own chains."""
    text = "".join(one.rules for one in fragments)
    return _OPTIONAL.sub("", text) if terse else text.replace(OPTIONAL, "")


def _rules(fragments: Iterable[Fragment], table: str) -> str:
    """The rules of the common chains."""
    return "".join(f"-A {rule}\n" for one in fragments for rule in getattr(one, table))


def _full(node: ProxyNode, fragments: Fragments) -> str:
    ports = fragments.values()
    chains = "".join(f":{chain} - [0:0]\n" for one in ports for chain in one.chains)
    return (
        f"*filter\n-Z\n{base.filter_chains()}{base.filter_rules(node)}"
        f"{_rules(ports, 'filter')}COMMIT\n"
        f"*nat\n-Z\n{base.nat_chains()}{chains}{base.nat_rules()}{_rules(ports, 'common')}"
        f"{_own(ports, _many(fragments))}{base.last_rules(node)}COMMIT\n"
    )


def _anew(
    node: ProxyNode, fragments: Fragments, old: Fragments, new: Fragments, terse: bool
) -> str:
    """The common chains whole, and the own chains of the ports that differ."""
    ports, own = fragments.values(), _Own(old, new, terse)
    return (
        f"*filter\n{base.filter_lists()}{_rules(ports, 'filter')}COMMIT\n"
        f"*nat\n-Z\n{base.nat_lists()}{own.declared}{_rules(ports, 'common')}{own.rules}"
        f"{base.last_rules(node)}{own.deleted}COMMIT\n"
    )


def _filter(old: Fragments, new: Fragments) -> str:
    lines = list(_moves(old, new, "filter"))
    return "".join(["*filter\n", *lines, "COMMIT\n"]) if lines else ""


def _nat(old: Fragments, new: Fragments, terse: bool) -> str:
    moves, own = "".join(_moves(old, new, "common")), _Own(old, new, terse)
    if not (moves or own.declared):
        return ""
    return f"*nat\n{own.declared}{moves}{own.rules}{own.deleted}COMMIT\n"


class _Own:
    """The ports' own chains: what is to be written, and what is to be deleted.

    Attributes:
        declared: Both kinds, which makes them empty.
        rules: What comes into the first.
        deleted: The second, for the end: nothing leads to them any more.
    """

    def __init__(self, old: Fragments, new: Fragments, terse: bool) -> None:
        written = {n: one for n, one in new.items() if n not in old or _differs(old[n], one)}
        touched = (one for n, one in old.items() if n not in new or n in written)
        chains = dict.fromkeys(chain for one in written.values() for chain in one.chains)
        gone = [chain for one in touched for chain in one.chains if chain not in chains]
        self.declared = "".join(f":{chain} - [0:0]\n" for chain in (*chains, *gone))
        self.rules = _own(written.values(), terse)
        self.deleted = "".join(f"-X {chain}\n" for chain in gone)


def _differs(old: Fragment, new: Fragment) -> bool:
    return (old.chains, old.rules) != (new.chains, new.rules)


def _moves(old: Fragments, new: Fragments, table: str) -> Iterator[str]:
    """The rules of common chains that go, then those that come."""
    was = [rule for one in old.values() for rule in getattr(one, table)]
    now = [rule for one in new.values() for rule in getattr(one, table)]
    known, wanted = set(was), set(now)
    yield from (f"-D {rule}\n" for rule in was if rule not in wanted)
    for rule in now:
        if rule not in known:
            yield f"-{'I' if rule.startswith(SERVICES) else 'A'} {rule}\n"


mode: ProxyMode = IptablesMode()
