"""Requests while Ingresses and endpoints change: none fails, on new or on kept connections.

A client whose kept connection is closed before a byte of the answer has come sends the request
again on another one, as RFC 9110 (9.2.2) lets it and as browsers, curl and Go do; nothing else is
forgiven.
"""

from __future__ import annotations

import http.client
import json
import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from ingresslab import Site, apply, echo, site
from ingressproxy import ingress
from labs import StartLab

pytestmark = pytest.mark.e2e

CHANGES = {"nginx": 100, "haproxy": 40}
AGAIN = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class Client(threading.Thread):
    """Asks without a pause until it is told to end.

    Attributes:
        seen: Statuses, errors and how often a request was sent again, counted.
    """

    def __init__(self, asked: Site, kept: bool, done: threading.Event) -> None:
        super().__init__(daemon=True)
        self._asked, self._kept, self._done = asked, kept, done
        self.seen: Counter[str] = Counter()

    def run(self) -> None:
        while not self._done.is_set():
            try:
                self._some(200 if self._kept else 1)
            except (OSError, http.client.HTTPException) as error:
                self.seen[repr(error)] += 1

    def _some(self, most: int) -> None:
        """Requests on one connection."""
        with self._asked.browser.connected(self._asked.address, 80) as wire:
            asking = http.client.HTTPConnection(self._asked.address)
            asking.sock = wire
            for number in range(most):
                try:
                    asking.request("GET", "/x", headers={"Host": "x.test"})
                    answer = asking.getresponse()
                except AGAIN:
                    if number == 0:
                        raise
                    self.seen["again"] += 1
                    return
                body = answer.read()
                good = answer.status == 200
                self.seen[json.loads(body)["service"] if good else str(answer.status)] += 1
                if self._done.is_set() or asking.sock is None:
                    return


@pytest.fixture(params=["nginx", "haproxy"])
def asked(request: pytest.FixtureRequest, shared_lab: StartLab) -> Iterator[tuple[str, Site]]:
    if not shutil.which(request.param, path="/usr/sbin:/usr/bin"):
        pytest.skip(f"{request.param} is not on this machine")
    lab = shared_lab(options=("--ingress", request.param, "--proxy", "iptables"))
    apply(lab, [*echo("a", [80], 2), ingress("one", ("x.test", "/", "a"))])
    with site(lab, request.param) as found:
        yield request.param, found
        found.delete([*echo("a", [80], 2), ingress("one", ("x.test", "/", "a"))])


def test_no_request_fails_while_all_changes(asked: tuple[str, Site]) -> None:
    controller, found = asked
    done = threading.Event()
    clients = [Client(found, kept, done) for kept in (False, False, True, True)]
    with ExitStack() as stack:
        stack.callback(done.set)
        for client in clients:
            client.start()
        for number in range(CHANGES[controller]):
            found.lab.apply(list(changed(number)))
    for client in clients:
        client.join(60)
    seen = sum((client.seen for client in clients), Counter())
    assert seen["a"] > 10 * CHANGES[controller]
    assert seen.keys() <= {"a", "again"}, seen
    print(dict(seen))


def changed(number: int) -> Iterator[Mapping[str, Any]]:
    """The Deployment with another pod or one less, and the Ingress with another path."""
    yield echo("a", [80], 2 + (number + 1) % 2)[1]
    yield ingress("one", ("x.test", "/", "a"), ("x.test", f"/other-{number}", "a"))
