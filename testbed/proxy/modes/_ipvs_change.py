"""From ports that have changed to what has to be made and removed in the kernel.

Two Services may claim one address and port (:mod:`testbed.proxy.modes._claims`); kube-proxy gives
it to either. Entries of sets and addresses go when nobody has them any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from testbed.cluster.serviceview import ServicePortName
from testbed.proxy.contract import IptablesRestore, Step
from testbed.proxy.ipvs import Ipvs, VirtualServer
from testbed.proxy.modes._claims import owned
from testbed.proxy.modes._ipvs_fragment import Fragment, Fragments

Key = tuple[str, int, str]
Named = tuple[ServicePortName, Fragment]


def filter_rules(old: Fragments, new: Fragments) -> tuple[Step, ...]:
    """The rules of iptables that differ: one transaction, or none."""
    was = dict.fromkeys(rule for one in old.values() for rule in one.rules)
    now = dict.fromkeys(rule for one in new.values() for rule in one.rules)
    lines = [f"-D {rule}\n" for rule in was if rule not in now]
    lines += [f"-A {rule}\n" for rule in now if rule not in was]
    return (IptablesRestore("".join(["*filter\n", *lines, "COMMIT\n"])),) if lines else ()


def difference(fragments: Fragments, old: Fragments, new: Fragments) -> Ipvs:
    """What is to be made and removed.

    Args:
        fragments: Of all ports, as they are after the change.
        old: Ports that differ, as they were.
        new: Ports that differ, as they shall be.
    """
    rest = [pair for pair in fragments.items() if pair[0] not in new]
    keys = {one.key for part in (old, new) for port in part.values() for one in port.servers}
    was, now = (_servers([*rest, *part.items()], keys) for part in (old, new))
    added = {e: None for port in new.values() for e in port.entries}
    bound = {a: None for port in new.values() for a in port.addresses}
    had = {e for port in old.values() for e in port.entries}
    had_bound = {a for port in old.values() for a in port.addresses}
    gone, gone_bound = had - added.keys(), had_bound - bound.keys()
    if gone:  # every address has an entry in KUBE-IPVS-IPS
        for _, port in rest:
            gone.difference_update(port.entries)
            gone_bound.difference_update(port.addresses)
    return Ipvs(
        entries=tuple(e for e in added if e not in had),
        addresses=tuple(a for a in bound if a not in had_bound),
        old=tuple(one for key, one in was.items() if now.get(key) != one),
        new=tuple(one for key, one in now.items() if was.get(key) != one),
        gone_entries=tuple(sorted(gone)),
        gone_addresses=tuple(sorted(gone_bound)),
    )


def _servers(ports: Iterable[Named], keys: AbstractSet[Key]) -> dict[Key, VirtualServer]:
    """The virtual servers at the given places."""
    return owned(((name, ((v.key, v) for v in one.servers)) for name, one in ports), keys)
