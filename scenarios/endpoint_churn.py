"""What requests through a Service notice when one of its three endpoints goes, and comes back.

**What it is.** A client pod makes a request to a Service every 5 ms, each on a connection of its
own (``new``) or on eight that stay open (``kept``). Behind it are three pods on two nodes. One of
them goes, and comes back after ``seconds``:

========== ========================================== ==========================================
``change`` it goes                                    it comes back
========== ========================================== ==========================================
delete     the pod is deleted; its server ends at     the pod is made again
           once when it is told to
unready    its readiness probe, once a second, fails  the probe is good again
           from now on
kill       SIGKILL to the server                      the pod is deleted and made again
========== ========================================== ==========================================

``last-failure`` is the time from the change to the *beginning* of the last request that failed, 0
if none did: whatever begins later than the change is known on every node succeeds. ``last-answer``
is the time from the change to the beginning of the last new connection that the endpoint answered,
``first-answer`` that from the return to its first answer. Both have the probe's period of up to 1 s
in them in ``unready``, and ``first-answer`` the making of a pod in the others. The failures are
counted by kind over the whole sample.

**Detection.** What ends is known to the lab from the kernel at once, a deletion from who deletes; a
failing probe after its period of 1 s and threshold of 1. A proxy of this project acts as soon as
that is known; the real kube-proxy at most once a second. Requests on kept connections to a server
that is not ready go on, as they do in Kubernetes.

**What it is not.** A node that is lost: nobody resets connections then, and nothing here would take
its pods out of the endpoints.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from scenarios import _pods, _services
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
from testbed.measure.load import FAILURES, OK, Load, Request
from testbed.measure.servicelatency import Way

SERVICE = "web"
VICTIM = "web-2"
PODS = ("web-1", VICTIM, "web-3")
UNREADY = "/run/unready-{}"
"""While this file is there, the pod with this name is not ready; pods share /run."""

CHANGES = ("delete", "unready", "kill")
CONNECTIONS = ("new", "kept")
DONE = Metric("requests", "1", "none")
FAILED = Metric("failed", "1", "lower")
KINDS = {kind: Metric(f"failed-{kind}", "1", "lower") for kind in FAILURES}
LAST_FAILURE = Metric("last-failure", "s", "lower", headline={})
LAST_ANSWER = Metric("last-answer", "s", "lower")
FIRST_ANSWER = Metric("first-answer", "s", "lower")

_STEADY = 0.5  # seconds before the change
_SERVER = 8080  # netexec's port


class EndpointChurn(Scenario):
    """See the module's text."""

    summary = "failed requests when an endpoint of a Service goes, and comes back"
    parameters: Mapping[str, Parameter] = {
        "change": Parameter(CHANGES, one_of(*CHANGES)),
        "connections": Parameter(CONNECTIONS, one_of(*CONNECTIONS)),
    }
    metrics: tuple[Metric, ...] = (
        LAST_FAILURE, LAST_ANSWER, FIRST_ANSWER, FAILED, *KINDS.values(), DONE,
    )  # fmt: skip
    proxied = True

    def manifest(self, nodes: Sequence[str]) -> str:
        """The client, three servers on two nodes, and their Service."""
        spec = {"selector": {"app": SERVICE}, "ports": [{"port": 80, "targetPort": _SERVER}]}
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": SERVICE, "namespace": _pods.NAMESPACE},
            "spec": spec,
        }
        places = (nodes[0], nodes[-1], nodes[-1])
        pods = [_pod(name, node) for name, node in zip(PODS, places, strict=True)]
        return _pods.manifest(nodes) + "---\n" + yaml.safe_dump_all([*pods, service])

    def run(self, lab: LabHandle, cell: Cell, raw: Path, seconds: int) -> Iterator[Reading]:
        """Takes the endpoint away, gives it back, and yields what requests noticed."""
        address = _services.service(lab, SERVICE)["spec"]["clusterIP"]
        way = Way(lab, _pods.pod(_pods.CLIENT), address, 80)
        victim = _Victim(lab, cell["change"])
        with Load(way, cell["connections"], raw) as asked:
            asked.listen(_STEADY)
            moments = [time.monotonic()]
            try:
                victim.go()
                asked.listen(max(0.0, moments[0] + seconds - time.monotonic()))
            finally:
                moments.append(time.monotonic())
                victim.come()
            asked.listen(max(0.0, moments[1] + seconds - time.monotonic()))
            moments.append(time.monotonic())
            asked.listen(load.PATIENCE)  # so that what has begun is over
            requests = asked.requests()
        (raw / "change.json").write_text(json.dumps({**cell, "moments": moments}) + "\n")
        yield from readings(requests, moments, VICTIM, cell["connections"] == "new")


class _Victim:
    """The pod that goes and comes."""

    def __init__(self, lab: LabHandle, change: str) -> None:
        self._lab, self._change, self._target = lab, change, _pods.pod(VICTIM)
        self._manifest = _pod(VICTIM, _pods.node_of(lab, VICTIM))

    def go(self) -> None:
        """Takes it away."""
        if self._change == "kill":
            self._lab.kill(self._target)
        elif self._change == "unready":
            self._run("touch", UNREADY.format(VICTIM))
        else:
            self._lab.delete([self._manifest])

    def come(self) -> None:
        """Gives it back; returns when it is ready, or will be by itself."""
        if self._change == "unready":
            self._run("rm", "-f", UNREADY.format(VICTIM))
            return
        if self._change == "kill":  # it would be started again after 10 s
            self._lab.delete([self._manifest])
        self._lab.apply([self._manifest])

    def _run(self, *argv: str) -> None:
        with self._lab.popen(self._target, argv) as process:
            code = process.wait()
        if code:
            raise LabError(f"{' '.join(argv)} in {self._target}: exit code {code}")


def _pod(name: str, node: str) -> dict[str, Any]:
    """A server."""
    unready = {"exec": {"command": ["test", "!", "-e", UNREADY.format(name)]}}
    listens = {"tcpSocket": {"port": _SERVER}}
    every = {"periodSeconds": 1, "failureThreshold": 1}
    container = {
        "name": "server",
        "image": "agnhost",
        "args": ["netexec", f"--http-port={_SERVER}", "--udp-port=-1"],
        "startupProbe": {**listens, "periodSeconds": 1, "failureThreshold": 30},
        "readinessProbe": {**unready, **every},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": _pods.NAMESPACE, "labels": {"app": SERVICE}},
        "spec": {"nodeName": node, "containers": [container]},
    }


def readings(
    requests: Sequence[Request], moments: Sequence[float], who: str, new: bool
) -> Iterator[Reading]:
    """What the requests of a sample noticed.

    Args:
        requests: All of them.
        moments: When the endpoint was taken away, when it was given back, and the end.
        who: The endpoint.
        new: Whether each had a connection of its own.

    Raises:
        LabError: None was answered before the change.
    """
    away, back, end = moments
    if not any(one.outcome == OK for one in load.between(requests, 0, away)):
        raise LabError(f"no request was answered within {_STEADY:g} s")
    gone, whole = load.between(requests, away, back), load.between(requests, away, end)
    failed = [one for one in whole if one.outcome != OK]
    yield Reading(LAST_FAILURE, (load.last_failure(gone) or away) - away)
    if new:
        yield Reading(LAST_ANSWER, (load.last_answer(gone, who) or away) - away)
        came = load.first_answer(load.between(requests, back, end), who)
        yield Reading(FIRST_ANSWER, (end if came is None else came) - back)
    yield Reading(FAILED, len(failed))
    for kind, metric in KINDS.items():
        yield Reading(metric, sum(one.outcome == kind for one in failed))
    yield Reading(DONE, len(whole))


scenario: Scenario = EndpointChurn()
