"""What requests through an Ingress notice while endpoints and Ingresses change all the time.

**What it is.** A host outside the cluster makes a request every 5 ms through the Ingress
controller, each on a connection of its own (``new``) or on eight that stay open (``kept``).
Meanwhile one change follows the other, each when the controller serves the last one: ``endpoints``
swaps one of the two endpoints of the Service for another pod, ``ingresses`` adds a path to another
Ingress and takes it away. All pods live on, so no request has to fail; ``failed`` counts those that
do, and ``request`` is the time of those that are answered. ``none`` changes nothing. On the path
``direct``, the baseline, one of the pods is asked by its own address, while the same changes.

**What it is not.** A pod that ends: requests on it end with it (``endpoint-churn``). The client
sends nothing again: on kept connections nginx may close one that has just been used, which a
browser would not notice.

It needs a lab with a controller: ``--ingress nginx``.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from scenarios import _outside, _pods, _services, _web
from testbed.errors import LabError
from testbed.measure import load
from testbed.measure.contract import (
    Cell,
    LabHandle,
    Metric,
    Parameter,
    Reading,
    Scenario,
    one_of,
)
from testbed.measure.load import OK, Load, Request
from testbed.measure.servicelatency import Way

NAME = "reload"
PODS = tuple(f"{NAME}-{number}" for number in (1, 2, 3))
HOST = "lab"
"""The host that the client names."""

OTHER = "changing.test"
PATHS = (_outside.DIRECT, "ingress")
CHANGES = ("none", "endpoints", "ingresses")
CONNECTIONS = ("new", "kept")

FAILED = Metric("failed", "1", "lower", headline={})
KINDS = {kind: Metric(f"failed-{kind}", "1", "lower") for kind in (*load.FAILURES, "status")}
PERCENTILES = {p: Metric(f"request-p{p}", "s", "lower") for p in (50, 99)}
CHANGED = Metric("changes", "1", "none")
APPLY = Metric("change-mean", "s", "lower")
DONE = Metric("requests", "1", "none")
PATIENCE = 2.0
"""Seconds without an answer after which a request has failed."""

_STEADY, _LIMIT = 0.3, 20.0  # seconds
_SERVER = 8080  # netexec's port


class IngressReload(Scenario):
    """See the module's text."""

    summary = "failed requests and latency while endpoints and Ingresses change"
    parameters: Mapping[str, Parameter] = {
        "path": Parameter(PATHS, one_of(*PATHS)),
        "change": Parameter(CHANGES, one_of(*CHANGES)),
        "connections": Parameter(CONNECTIONS, one_of(*CONNECTIONS)),
    }
    metrics: tuple[Metric, ...] = (
        FAILED, *KINDS.values(), *PERCENTILES.values(), CHANGED, APPLY, DONE,
    )  # fmt: skip
    needs: tuple[str, ...] = ("ip",)
    proxied = True
    addons: Mapping[str, str] = {"ingress": "nginx"}

    def manifest(self, nodes: Sequence[str]) -> str:
        """Three servers, a Service without endpoints, and two Ingresses of it."""
        places = (nodes[-1], nodes[0], nodes[-1])
        found = [_pod(name, node) for name, node in zip(PODS, places, strict=True)]
        found += [_services.bare(NAME), _ingress(HOST, ["/"]), _ingress(OTHER, ["/a"])]
        return _pods.manifest(nodes) + "---\n" + yaml.safe_dump_all(found)

    def run(self, lab: LabHandle, cell: Cell, raw: Path, seconds: int) -> Iterator[Reading]:
        """Asks for ``seconds`` while one change follows the other."""
        with contextlib.ExitStack() as stack:
            lab.apply([_slice(lab, PODS[:2])])
            stack.callback(lab.delete, [_slice(lab, PODS[:2])])
            stack.callback(lab.apply, [_ingress(OTHER, ["/a"])])
            way = stack.enter_context(_way(lab, cell["path"]))
            asked = stack.enter_context(Load(way, cell["connections"], raw, PATIENCE))
            _await(asked)
            moments = [time.monotonic()]
            while time.monotonic() < moments[0] + seconds:
                _change(lab, cell["change"], len(moments), asked)
                moments.append(time.monotonic())
            asked.listen(PATIENCE)  # so that what has begun is over
            requests = asked.requests()
        (raw / "changes.json").write_text(json.dumps({**cell, "moments": moments}) + "\n")
        yield from readings(requests, moments, cell["change"] != "none")


def _change(lab: LabHandle, what: str, number: int, asked: Load) -> None:
    """One change; ``number`` says there or back."""
    if what == "endpoints":
        lab.apply([_slice(lab, (PODS[0], PODS[1 + number % 2]))])
    elif what == "ingresses":
        lab.apply([_ingress(OTHER, ["/a", "/b"][: 1 + number % 2])])
    asked.listen(0.0 if what != "none" else 0.1)


@contextlib.contextmanager
def _way(lab: LabHandle, path: str) -> Iterator[Way]:
    source = _outside.client(lab)
    if path == _outside.DIRECT:
        with _outside.direct(lab, PODS[0]) as address:
            yield Way(lab, source, address, _SERVER)
    else:
        yield Way(lab, source, _outside.balanced(lab, "ingresses", HOST), 80)


def _await(asked: Load) -> None:
    """Waits until requests are answered.

    Raises:
        LabError: They are not.
    """
    end = time.monotonic() + _LIMIT
    while time.monotonic() < end:
        asked.listen(_STEADY)
        recent = load.between(asked.requests(), time.monotonic() - _STEADY, end)
        if recent and all(one.outcome == OK for one in recent):
            return
    raise LabError(f"no request was answered within {_LIMIT:g} s", hint=_outside.NO_DIRECT_WAY)


def readings(
    requests: Sequence[Request], moments: Sequence[float], changed: bool
) -> Iterator[Reading]:
    """What the requests of a sample noticed.

    Args:
        requests: All of them.
        moments: The beginning, and when each change was done.
        changed: Whether there were changes.

    Raises:
        LabError: None was answered.
    """
    during = load.between(requests, moments[0], moments[-1])
    times = sorted(one.end - one.begin for one in during if one.outcome == OK)
    if not times:
        raise LabError("no request was answered")
    yield Reading(FAILED, sum(one.outcome != OK for one in during))
    for kind, metric in KINDS.items():
        yield Reading(metric, sum(one.outcome == kind for one in during))
    for percentile, metric in PERCENTILES.items():
        yield Reading(metric, times[min(len(times) - 1, len(times) * percentile // 100)])
    if changed:
        lasting = [late - early for early, late in itertools.pairwise(moments)]
        yield Reading(CHANGED, len(lasting))
        yield Reading(APPLY, sum(lasting) / len(lasting))
    yield Reading(DONE, len(during))


def _slice(lab: LabHandle, pods: Sequence[str]) -> dict[str, Any]:
    ends = [lab.address(_pods.pod(name)) for name in pods]
    return {**_services.endpoints(NAME, ends), "ports": [{"port": _SERVER}]}


def _ingress(host: str, paths: Sequence[str]) -> dict[str, Any]:
    found = _web.ingress(host, paths, to=NAME)
    del found["spec"]["tls"]
    return found


def _pod(name: str, node: str) -> dict[str, Any]:
    container = {
        "name": "server",
        "image": "agnhost",
        "args": ["netexec", f"--http-port={_SERVER}", "--udp-port=-1"],
        "readinessProbe": {"tcpSocket": {"port": _SERVER}, "periodSeconds": 1},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": _pods.NAMESPACE, "labels": {"app": NAME}},
        "spec": {"nodeName": node, "containers": [container]},
    }


scenario: Scenario = IngressReload()
