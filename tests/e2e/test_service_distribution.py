"""Which endpoint a connection gets, in each proxy mode: evenly, or always the same.

Which source address it has there is asked by :mod:`test_service_cases` in all of these modes.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
from labs import RunningLab, StartLab
from scipy.stats import chisquare
from servicecases import MODES
from servicetraffic import ADDRESSES, LOCAL, NODE, PODS, ask, prepare, service

pytestmark = pytest.mark.e2e

THREE = ("local-1", "remote-0", "remote-1")
CONNECTIONS = 3000
TIMEOUT = 2  # seconds of the affinity that expires
ROUNDS = 12  # of three endpoints one is given so often in a row once in 200,000 times


def _affinity(seconds: int) -> dict[str, Any]:
    config = {"clientIP": {"timeoutSeconds": seconds}}
    return {"sessionAffinity": "ClientIP", "sessionAffinityConfig": config}


SERVICES = "\n---\n".join(
    [
        PODS,
        service("three", THREE, clusterIP="10.96.9.10", type="NodePort", nodePort=30010),
        service("alone", ["local-3"], clusterIP="10.96.9.11"),
        service(
            "sticky", THREE, clusterIP="10.96.9.12", type="NodePort", nodePort=30012,
            **_affinity(600),
        ),
        service("brief", THREE, clusterIP="10.96.9.13", **_affinity(TIMEOUT)),
        service("datagrams", ["local-2", "remote-2"], "UDP", clusterIP="10.96.9.14",
                **_affinity(600)),
    ]
)  # fmt: skip


@pytest.fixture(scope="module", params=MODES)
def running(request: pytest.FixtureRequest, shared_lab: StartLab) -> RunningLab:
    options = ("--proxy", request.param)
    found = shared_lab(manifests=(SERVICES,), options=options, settings=("nodes=2",))
    prepare(found)
    return found


def who(
    lab: RunningLab,
    source: str,
    address: str,
    port: int = 80,
    protocol: str = "TCP",
    times: int = 1,
) -> list[str]:
    """The servers that answer a number of connections, one after the other."""
    probe = {"protocol": protocol, "address": address, "port": port, "tries": times}
    (outcomes,) = ask(lab, source, [{**probe, "want": ["nobody"]}])
    assert {one[0] for one in outcomes} == {"answered"}
    return [one[1] for one in outcomes]


@pytest.mark.parametrize(
    ("source", "address", "port"),
    [("pod", "10.96.9.10", 80), ("client", NODE, 30010)],
    ids=["cluster IP", "node port"],
)
def test_endpoints_are_chosen_evenly(
    running: RunningLab, source: str, address: str, port: int
) -> None:
    """Chi-square at 1 %: 3 endpoints, 3,000 connections.

    An even choice is rejected once in a hundred times, so it is only uneven if that is so thrice.
    """
    probe = {"protocol": "TCP", "address": address, "port": port, "tries": 1, "want": []}
    seen: list[Counter[str]] = []
    while len(seen) < 3:
        outcomes = ask(running, source, [{**probe, "copies": CONNECTIONS}])
        counts = Counter(found[0][1] for found in outcomes)
        assert set(counts) == set(THREE)
        assert sum(counts.values()) == CONNECTIONS
        if chisquare(list(counts.values())).pvalue > 0.01:
            return
        seen.append(counts)
    pytest.fail(f"{seen}")


def test_a_client_stays_at_its_endpoint(running: RunningLab) -> None:
    """At all addresses of the Service. Ten clients have all the same one once in 20,000 times."""
    for source in ("pod", "client"):
        assert len(set(who(running, source, "10.96.9.12", times=20))) == 1
    (first,) = set(who(running, "client", "10.96.9.12", times=3))
    assert set(who(running, "client", NODE, 30012, times=5)) == {first}
    assert len(set(who(running, "pod", "10.96.9.14", protocol="UDP", times=10))) == 1
    clients = ["pod", "client", "node", *(f"default/{name}" for name in ADDRESSES)]
    assert len({who(running, client, "10.96.9.12")[0] for client in clients}) > 1


def test_it_may_get_another_one_when_its_time_is_over(running: RunningLab) -> None:
    """And not before: each connection begins it anew."""
    address, half = "10.96.9.13", TIMEOUT / 2
    (first,) = who(running, "pod", address)
    last = time.monotonic()
    for _ in range(4):
        time.sleep(half / 2)
        (again,) = who(running, "pod", address)
        now = time.monotonic()
        assert again == first or now - last > TIMEOUT - 0.5  # a busy machine took too long
        first, last = again, now
    for _ in range(ROUNDS):
        time.sleep(TIMEOUT + 1)  # it is over: what is waited for is that nobody asks
        if who(running, "pod", address) != [first]:
            return
    pytest.fail(f"always {first}")


def test_a_pod_that_reaches_itself_sees_its_node(running: RunningLab) -> None:
    probe = {"protocol": "TCP", "address": "10.96.9.11", "port": 80, "tries": 1, "want": []}
    [[outcome]] = ask(running, "default/local-3", [probe])
    assert outcome[:2] == ["answered", "local-3"]
    assert outcome[2] != LOCAL["local-3"]
