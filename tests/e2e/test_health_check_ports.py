"""Health check node ports by real requests, as a load balancer asks them.

The real kube-proxy must answer the same.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from labs import RunningLab, StartLab
from servicecases import MODES
from servicetraffic import NODE, PODS, service

pytestmark = pytest.mark.e2e

OTHER_NODE = "192.168.0.12"
PORT = 31234
REFUSED = 7  # exit code of curl
SILENT_CLIENTS = 300
HOLD = """
import socket, sys, time
links = []
for _ in range(int(sys.argv[3])):
    link = socket.socket()
    link.setblocking(False)
    link.connect_ex((sys.argv[1], int(sys.argv[2])))
    links.append(link)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module", params=MODES)
def running(request: pytest.FixtureRequest, shared_lab: StartLab) -> RunningLab:
    options = ("--proxy", request.param)
    return shared_lab(manifests=(PODS,), options=options, settings=("nodes=2",))


def balanced(*servers: str) -> str:
    wanted = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
    return service("checked", servers, healthCheckNodePort=PORT, **wanted)


def told(lab: RunningLab, node: str, source: str = "external/client") -> tuple[int, str, Any]:
    """Status, weight and body of the answer of a node."""
    form = "%{http_code} %header{x-load-balancing-endpoint-weight}\\n%{content_type}"
    said = lab.exec(source, "curl", "-s", "-m", "5", "-w", f"\\n{form}", f"{node}:{PORT}/any")
    *lines, numbers, kind = said.split("\n")
    assert kind == "application/json"
    code, _, weight = numbers.partition(" ")
    return int(code), weight, json.loads("\n".join(lines))


def body(endpoints: int) -> dict[str, Any]:
    own = {"namespace": "default", "name": "checked"}
    return {"service": own, "localEndpoints": endpoints, "serviceProxyHealthy": True}


def test_each_node_tells_of_its_own_endpoints_as_they_come_and_go(running: RunningLab) -> None:
    apply = ("apply", "-f", "-")
    running.run(*apply, text=balanced("local-0", "local-1"))
    assert told(running, NODE) == (200, "2", body(2))
    assert told(running, OTHER_NODE) == (503, "0", body(0))
    assert told(running, NODE, "default/asker") == (200, "2", body(2))
    running.run(*apply, text=balanced("remote-0"))
    assert told(running, NODE) == (503, "0", body(0))
    assert told(running, OTHER_NODE) == (200, "1", body(1))
    running.run("delete", "service", "checked")
    running.run("delete", "endpointslice", "checked-1")
    for node in (NODE, OTHER_NODE):
        argv = ("curl", "-s", "-m", "5", f"{node}:{PORT}")
        done = running.run("exec", "external/client", "--", *argv, code=None)
        assert done.returncode == REFUSED


def test_clients_that_say_nothing_keep_nobody_from_it(running: RunningLab) -> None:
    """More of them than are served at once; those are let go after a while, others before."""
    running.run("apply", "-f", "-", text=balanced("local-0"))
    script = (
        f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {HOLD!r}, {NODE!r},"
        f" '{PORT}', '{SILENT_CLIENTS}'], stdin=subprocess.PIPE, stdout=subprocess.PIPE);"
        " p.stdout.readline(); print(subprocess.run(['curl', '-s', '-m', '1', '--retry', '15',"
        f" '--retry-all-errors', '-o', '/dev/null', '-w', '%{{http_code}}', '{NODE}:{PORT}'],"
        " capture_output=True, text=True).stdout); p.stdin.close(); p.wait()"
    )
    assert running.exec("external/client", "python3", "-c", script).strip().endswith("200")
    running.run("delete", "service", "checked")
    running.run("delete", "endpointslice", "checked-1")
