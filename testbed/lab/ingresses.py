"""The ingress controllers of a lab: waiting until they serve what it has now.

A controller's pod answers on ``/served`` when its proxy serves what the API had at some versions
(:mod:`testbed.ingresscontroller.status`), so nothing has to be asked twice. Which Ingresses are its
comes with the answer; those are given the addresses of its Service as their status. The real
controllers write that themselves (``--publish-service``); the lab's API cannot be written to.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from testbed.cluster.model import Cluster
from testbed.errors import LabError
from testbed.ingress import addon
from testbed.kernel.executor import Executor
from testbed.kubelet.kubelet import Key
from testbed.lab.apiserver import ApiServer
from testbed.lab.ledger import Ledger
from testbed.lab.state import State

PATIENCE = 60.0
"""Seconds that all controllers have; 10,000 paths of one host take some ten."""

WATCHED = ("ingresses", "ingressclasses", "services", "endpointslices", "secrets")
"""The kinds of which a controller makes its routing."""

_AGAIN = 0.02  # seconds until a controller whose connection has broken is asked again


class Ingresses:
    """What the controllers of a lab serve.

    Args:
        executor: Enters namespaces.
        ledger: The versions of the lab's objects.
        api: What tells them.
        state: The lab's, which is told what they serve.
    """

    def __init__(self, executor: Executor, ledger: Ledger, api: ApiServer, state: State) -> None:
        self._executor, self._ledger, self._api, self._state = executor, ledger, api, state

    def flush(self) -> None:
        """Waits until every controller that is ready serves what there is now.

        Raises:
            LabError: One does not in time, or its proxy refuses its files.
        """
        cluster = self._state.spec.cluster
        if not addon.wanted(cluster):
            return
        path = f"/served?{urlencode(self._ledger.latest(WATCHED))}"
        self._api.notify()
        end = time.monotonic() + PATIENCE
        answers = [self._ask(key, path, end) for key in self._ready(cluster)]
        found = [answer for answer in answers if answer is not None]
        if found:
            self._note(frozenset((one[0], one[1]) for a in found for one in a["ingresses"]))
        for answer in found:
            if answer["error"]:
                raise LabError(
                    f"the ingress controller keeps what it served before: {answer['error']}"
                )

    def _note(self, served: frozenset[Key]) -> None:
        if served != self._state.served:
            self._state.served = served
            self._api.notify()

    def _ready(self, cluster: Cluster) -> list[Key]:
        """The controllers' pods that are ready."""
        one = addon.controller(cluster)
        wanted = addon.labels(one).items()
        return [
            key
            for key, pod in dict(self._state.kubelet.pods).items()
            if key[0] == one.namespace and wanted <= pod.bound.pod.metadata.labels.items()
            and pod.ready
        ]  # fmt: skip

    def _ask(self, key: Key, path: str, end: float) -> dict[str, Any] | None:
        """The answer of a pod; None if it has ended, or is not ready any more."""
        while time.monotonic() < end:
            with suppress(OSError, http.client.HTTPException):
                return self._get(key, path, end - time.monotonic())
            pod = self._state.kubelet.pods.get(key)
            if pod is None or not pod.ready:
                return None
            time.sleep(_AGAIN)
        raise LabError(
            f"the ingress controller {'/'.join(key)} does not serve the change after "
            f"{PATIENCE:.0f} s",
            hint=f"See `testbed logs -n {key[0]} {key[1]}`.",
        )

    def _get(self, key: Key, path: str, seconds: float) -> dict[str, Any]:
        asking = http.client.HTTPConnection("127.0.0.1", addon.HEALTH_PORT)

        def connect() -> socket.socket:
            return socket.create_connection(("127.0.0.1", addon.HEALTH_PORT), max(seconds, 0.1))

        try:
            asking.sock = self._executor.within(f"pod/{key[0]}/{key[1]}", connect)
            asking.request("GET", path)
            found: dict[str, Any] = json.loads(asking.getresponse().read())
            return found
        finally:
            asking.close()
