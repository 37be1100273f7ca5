"""The lab's internet: the names outside the cluster, and the resolver that knows them.

Nothing leaves a lab, so there is no resolver to ask. In its place a CoreDNS runs outside the
cluster, on the first external host (on the first node where there is none), with one zone that is
all of DNS: the root. What is not in it does not exist (NXDOMAIN, with the root's SOA). It is the
nameserver in the nodes' ``resolv.conf``, so it is what cluster DNS forwards to and what pods with
``dnsPolicy: Default`` ask.

Its names are ``www.example.com``, which is where it is itself, and each external host as
``NAME.example.com``; or those of a file (``--set internet=FILE``) that is written as hosts(5)::

    203.0.113.7   www.example.com shop.example.com
    2001:db8::7   www.example.com
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from testbed.cluster.model import Cluster
from testbed.errors import InputError, Where
from testbed.objects import names
from testbed.plan.model import FABRIC, PYTHON, Daemon, File, NamespacePlan, Plan
from testbed.templates import render

DOMAIN = "example.com"
"""The domain of the external hosts (RFC 2606)."""

NAME = "internet-dns"
"""Of the resolver as a daemon of the lab."""

_FOLDER = "/run/internet"
_COREFILE, _ZONE = f"{_FOLDER}/Corefile", f"{_FOLDER}/zone"


@dataclass(frozen=True, slots=True)
class Record:
    """A name and one of its addresses.

    Attributes:
        name: Without the final dot.
        address: IPv4 or IPv6.
    """

    name: str
    address: str


def read(path: str) -> str:
    """The text of ``--set internet=FILE``, checked.

    Raises:
        InputError: The file cannot be read, or a line of it is wrong.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "is no text"
        raise InputError(f"{path}: {said}", where=Where("--set", field="internet")) from None
    parse(text, path)
    return text


def parse(text: str, file: str = "internet") -> tuple[Record, ...]:
    """The records of a file as hosts(5).

    Raises:
        InputError: A line is wrong.
    """
    found: list[Record] = []
    for number, line in enumerate(text.splitlines(), start=1):
        address, *given = line.partition("#")[0].split() or [""]
        if address:
            found += _records(address, given, Where(file, line=number))
    return tuple(dict.fromkeys(found))


def _records(address: str, given: list[str], where: Where) -> Iterator[Record]:
    try:
        known = str(ip_address(address))
    except ValueError:
        raise InputError(f"{address!r} is no IP address", where=where) from None
    if not given or "%" in known:
        raise InputError("write an address and its names", where=where)
    for name in given:
        if reasons := names.dns_subdomain(name.lower().removesuffix(".")):
            raise InputError(f"{name!r}: {reasons[0]}", where=where)
        yield Record(name.lower().removesuffix("."), known)


def records(cluster: Cluster) -> tuple[Record, ...]:
    """The names outside a cluster."""
    if cluster.options.internet:
        return parse(cluster.options.internet)
    found = [(host.name.lower(), host.address) for host in cluster.topology.externals]
    return tuple(Record(f"{n}.{DOMAIN}", a) for n, a in (("www", resolver(cluster)[1]), *found))


def resolver(cluster: Cluster) -> tuple[str, str]:
    """Where the resolver is: namespace of the plan, and address."""
    for host in cluster.topology.externals:
        return f"{host.role}/{host.name}", host.address
    return cluster.nodes[0].namespace, cluster.nodes[0].address


def zone(found: tuple[Record, ...]) -> str:
    """The root zone (RFC 1035, section 5)."""
    kinds = {4: "A", 6: "AAAA"}
    rows = [(r.name, kinds[ip_address(r.address).version], r.address) for r in found]
    return render("internet.zone.j2", rows=rows)


def corefile(address: str, path: str) -> str:
    """The resolver's Corefile.

    Args:
        address: Where it listens; no other server on that machine is in its way.
        path: The zone's file.
    """
    return render("Corefile.internet.j2", address=ip_address(address), zone=path)


def plan(cluster: Cluster) -> Plan:
    """The resolver as a daemon, which serves before a lab counts as up."""
    namespace, address = resolver(cluster)
    files = (
        File(_COREFILE, corefile(address, _ZONE), 0o644),
        File(_ZONE, zone(records(cluster)), 0o644),
    )
    argv = ("coredns", "-conf", _COREFILE)
    serves = (PYTHON, "-m", "testbed.lab.dnsready", address)
    daemon = Daemon(NAME, argv, configure=serves)
    return Plan({FABRIC: NamespacePlan(files=files), namespace: NamespacePlan(daemons=(daemon,))})
