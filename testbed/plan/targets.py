"""What can fail in a lab, and how it is named: its links, its hosts, its daemons.

=========  ================  ============================================================
kind       target            a failure of it
=========  ================  ============================================================
``link``   ``l1-sp1``        its carrier is lost at both ends
``node``   ``n2``            no packet gets through its underlay interfaces, either way; their
                             carrier stays, as behind a switch that forwards no more
``daemon`` ``l1/bgpd``       it is killed (SIGKILL), as a crash would end it
=========  ================  ============================================================

A link has the names of its two ends, in either order; a *node* may be any host of the fabric, an
external one or a router too; a daemon has the name of its host (``fabric`` for those of all
switches together) before its own. Pure: campaigns are checked by this before anything starts.
"""

from __future__ import annotations

from collections.abc import Mapping

from testbed.errors import InputError, Where, unknown
from testbed.plan.model import Daemon, NamespacePlan, Plan
from testbed.topology.model import Link, Topology

KINDS = ("link", "node", "daemon")
"""The kinds of what can fail."""

NEEDS: Mapping[str, tuple[str, ...]] = {"node": ("nft-egress",)}
"""What failing a kind needs of the machine, as ``testbed doctor`` names it."""


def links(topology: Topology, name: str, where: Where | None = None) -> tuple[Link, ...]:
    """The link of a name; several if its two ends have more than one between them.

    Raises:
        InputError: There is none.
    """
    found = tuple(link for link in topology.links if name in _names(link))
    if not found:
        known = (_names(link)[0] for link in topology.links)
        raise unknown(f"link of {topology.name}", name, known, where)
    return found


def _names(link: Link) -> tuple[str, str]:
    return f"{link.a}-{link.b}", f"{link.b}-{link.a}"


def namespace(topology: Topology, name: str, where: Where | None = None) -> str:
    """Name in the plan of a host's network namespace, ``node/n2``.

    Raises:
        InputError: There is no such host.
    """
    known = {host.name: f"{host.role}/{host.name}" for host in topology.hosts}
    if name not in known:
        raise unknown(f"host of {topology.name}", name, known, where)
    return known[name]


def daemon(plan: Plan, name: str, where: Where | None = None) -> tuple[str, Daemon]:
    """The host of a daemon, and the daemon.

    Raises:
        InputError: The plan has none of that name.
    """
    found = {
        f"{host}/{item.name}": (host, item)
        for host, part in _parts(plan).items()
        for item in part.daemons
    }
    if not found:
        raise InputError(f"no daemon {name!r}: this lab has no daemons", where=where)
    if name not in found:
        raise unknown("daemon", name, found, where)
    return found[name]


def _parts(plan: Plan) -> dict[str, NamespacePlan]:
    """Host → its part of a plan; pods have no daemons."""
    spaces = plan.namespaces.items()
    return {name.rpartition("/")[2]: part for name, part in spaces if not name.startswith("pod/")}


def check(
    kind: str, target: str, topology: Topology, plan: Plan, where: Where | None = None
) -> None:
    """Refuses what a lab does not have.

    Raises:
        InputError: There is no such kind, or no such target.
    """
    if kind == "link":
        links(topology, target, where)
    elif kind == "node":
        namespace(topology, target, where)
    elif kind == "daemon":
        daemon(plan, target, where)
    else:
        raise unknown("kind of failure", kind, KINDS, where)
