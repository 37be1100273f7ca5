"""Pods that resolve names as the programs in them do: by their own ``/etc/resolv.conf``.

The resolver is dnspython's, which knows search domains and ``ndots`` as the C library does
(resolv.conf(5)). Its sockets are made in the pod's network namespace; no process runs in the pod
but the cat(1) that reads the file there.
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

import dns.exception
import dns.rdatatype
import dns.resolver

from testbed.conformance.sockets import Sockets
from testbed.conformance.targets import Target
from testbed.lab.client import Lab

PATIENCE = 2.5
"""Seconds that a name may take, all search domains and repetitions included."""


@dataclass(frozen=True, slots=True)
class Client:
    """A pod and its resolver.

    Attributes:
        pod: The pod.
        resolver: As its ``/etc/resolv.conf`` says.
    """

    pod: Target
    resolver: dns.resolver.Resolver


@dataclass(frozen=True, slots=True)
class Question:
    """A name to resolve, and what must come of it.

    Attributes:
        name: It is searched for unless it ends in a dot.
        kind: ``A``, ``SRV``, ``PTR`` …
        expected: Data of the records, of SRV port and target only; empty for a name that there
            must not be.
    """

    name: str
    kind: str
    expected: frozenset[str]


def client(lab: Lab, pod: Target) -> Client:
    """A pod with the resolver that its file describes."""
    with lab.popen(pod.name, ["cat", "/etc/resolv.conf"], stdout=subprocess.PIPE) as process:
        text = process.communicate()[0].decode()
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = []
    if "nameserver" in text:
        resolver.read_resolv_conf(io.StringIO(text))
    resolver.cache = None
    return Client(pod, resolver)


def wrong(sockets: Sockets, asking: Client, question: Question, *, tcp: bool) -> str:
    """What is wrong with what a pod gets for a question; empty for nothing."""
    found = sockets.inside(asking.pod, lambda: _resolve(asking.resolver, question, tcp=tcp))
    if found == question.expected:
        return ""
    by = "TCP" if tcp else "UDP"
    said = found if isinstance(found, str) else _shown(found)
    return (
        f"{asking.pod} → {question.name} {question.kind} by {by}: {said}, "
        f"not {_shown(question.expected)}"
    )


def _shown(data: Iterable[str]) -> str:
    return ", ".join(sorted(data)) or "no such name"


def _resolve(
    resolver: dns.resolver.Resolver, question: Question, *, tcp: bool
) -> frozenset[str] | str:
    """The data found, none if there is no such name; or why nothing can be said."""
    try:
        answer = resolver.resolve(
            question.name, question.kind, tcp=tcp, search=True, lifetime=PATIENCE
        )
    except dns.resolver.NXDOMAIN:
        return frozenset()
    except dns.exception.DNSException as error:
        return str(error)
    return frozenset(_data(record.to_text(), question.kind) for record in answer)


def _data(text: str, kind: str) -> str:
    return " ".join(text.split()[2:]) if kind == dns.rdatatype.to_text(dns.rdatatype.SRV) else text
