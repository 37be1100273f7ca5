"""What an Ingress costs an HTTP request from outside: by protocol, connection and number of rules.

**What it is.** A host outside the cluster asks a pod on the last node, real nginx: at the pod's own
address (``direct``, the baseline), at the load balancer's address of a Service, and through the
Ingress controller. On connections that are ``kept``, half of the time by eight clients as fast as
there are answers (``requests``), the other half on one connection at a steady pace of 400 requests
a second (``request-p50``). Where they are ``new``: bursts of a hundred connections at once with one
request each (``connections``), and requests by curl, one after the other, for what each phase
takes. ``http1``, ``https1`` and ``https2`` are what the controller speaks to the client; to the pod
it is HTTP/1.1 without TLS. TLS handshakes are whole ones with ECDSA P-256; ``signatures`` is what
``openssl speed`` makes on one core of the same machine, right after.

**What it is not.** The name of the host is given to the client, so the phase ``dns`` is curl's own
time. Client, controller and server share the machine's cores: rates are those of all three.

It needs a lab with a controller: ``--ingress nginx``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scenarios import _outside, _pods, _web
from testbed.errors import LabError
from testbed.measure import cpu, h2load, phases, signing
from testbed.measure.contract import (
    Cell,
    LabHandle,
    Metric,
    Parameter,
    Reading,
    Scenario,
    one_of,
    product,
)
from testbed.measure.h2load import Target
from testbed.measure.process import Flow

LOAD_BALANCER, INGRESS = "load-balancer", "ingress"
PATHS = (_outside.DIRECT, LOAD_BALANCER, INGRESS)
PROTOCOLS = ("http1", "https1", "https2")
CONNECTIONS = ("kept", "new")

RATE = Metric("requests", "1/s", "higher", headline={"connections": "kept"})
PERCENTILES = {
    50: Metric("request-p50", "s", "lower", headline={"connections": "kept"}),
    99: Metric("request-p99", "s", "lower"),
}
CONNECTED = Metric("connections-made", "1/s", "higher")
PHASES = {name: Metric(f"phase-{name}", "s", "lower") for name in phases.PHASES}
SIGNATURES = Metric("signatures", "1/s", "none")

_CURLS = 25  # requests by curl for each second of the sample


def rules(value: Any) -> int:
    """A parser of a number of rules.

    Raises:
        ValueError: No host has so many.
    """
    if type(value) is not int or value not in _web.RULES:
        raise ValueError(f"none of {', '.join(map(str, _web.RULES))}")
    return value


class IngressHttp(Scenario):
    """See the module's text."""

    summary = "HTTP and HTTPS from outside through an Ingress: rate, latency, phases, rules"
    parameters: Mapping[str, Parameter] = {
        "path": Parameter(PATHS, one_of(*PATHS)),
        "protocol": Parameter(PROTOCOLS, one_of(*PROTOCOLS)),
        "connections": Parameter(CONNECTIONS, one_of(*CONNECTIONS)),
        "rules": Parameter(_web.RULES, rules),
    }
    metrics: tuple[Metric, ...] = (
        RATE, *PERCENTILES.values(), CONNECTED, *PHASES.values(), SIGNATURES, *cpu.METRICS,
    )  # fmt: skip
    needs: tuple[str, ...] = ("h2load", "curl", "openssl", "ip")
    proxied = True
    addons: Mapping[str, str] = {"ingress": "nginx"}

    def cells(self, values: Mapping[str, Sequence[Any]]) -> list[Cell]:
        """All but what the pod does not speak, more rules twice, and new HTTP/2."""
        least = min(values["rules"])
        return [cell for cell in product(values) if _is_measured(cell, least)]

    def manifest(self, nodes: Sequence[str]) -> str:
        """A server on the last node, its Service and Ingresses."""
        return _web.manifest(nodes)

    def run(self, lab: LabHandle, cell: Cell, raw: Path, seconds: int) -> Iterator[Reading]:
        """Asks in two ways, each for half of ``seconds``."""
        source = _outside.client(lab)
        with _target(lab, cell) as target, cpu.Window() as used:
            flow = Flow(lab, source, _pods.pod(_web.NAME), target.there)
            measure = _kept if cell["connections"] == "kept" else _new
            found = measure(flow, target, raw, seconds)
        yield from found
        yield from used.readings()
        if cell["connections"] == "new" and cell["protocol"] != "http1":
            yield Reading(SIGNATURES, signing.run(flow, _folder(raw, "signing")))


def _is_measured(cell: Cell, least: int) -> bool:
    plain = cell["protocol"] == "http1"
    if cell["path"] != INGRESS and not (plain and cell["rules"] == least):
        return False
    if cell["rules"] != least and not (plain and cell["connections"] == "kept"):
        return False
    return bool(cell["connections"] == "kept" or cell["protocol"] != "https2")


@contextlib.contextmanager
def _target(lab: LabHandle, cell: Cell) -> Iterator[Target]:
    """What is asked for; it can be reached during the ``with`` block."""
    host = _web.host(cell["rules"])
    secure = cell["protocol"] != "http1"
    url = f"{'https' if secure else 'http'}://{host}{_web.path(cell['rules'])}"
    port, http2 = 443 if secure else 80, cell["protocol"] == "https2"
    with contextlib.ExitStack() as stack:
        if cell["path"] == _outside.DIRECT:
            address = stack.enter_context(_outside.direct(lab, _web.NAME))
        elif cell["path"] == INGRESS:
            address = _outside.balanced(lab, "ingresses", host)
        else:
            address = _outside.balanced(lab, "services", _web.NAME)
        yield Target(url, f"{address}:{port}", http2)


def _kept(flow: Flow, target: Target, raw: Path, seconds: int) -> list[Reading]:
    fast = h2load.fast(flow, target, _folder(raw, "rate"), seconds / 2)
    slow = sorted(h2load.paced(flow, target, _folder(raw, "latency"), seconds / 2).times)
    if not slow:
        raise LabError("h2load told the time of no request", hint=f"Its output is in {raw}.")
    times = (
        Reading(metric, slow[min(len(slow) - 1, len(slow) * percentile // 100)])
        for percentile, metric in PERCENTILES.items()
    )
    return [Reading(RATE, fast.rate), *times]


def _new(flow: Flow, target: Target, raw: Path, seconds: int) -> list[Reading]:
    made = h2load.bursts(flow, target, _folder(raw, "bursts"), seconds / 2)
    each = phases.run(flow, target, _folder(raw, "phases"), _CURLS * seconds)
    return [
        Reading(CONNECTED, made.rate),
        *(Reading(metric, each[name]) for name, metric in PHASES.items()),
    ]


def _folder(raw: Path, name: str) -> Path:
    folder = raw / name
    folder.mkdir(exist_ok=True)
    return folder


scenario: Scenario = IngressHttp()
