"""Whom pods behind an ingress controller see: the client, or under policy Cluster a node."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from ingresslab import Site, apply, echo, site
from ingressproxy import ingress
from labs import StartLab

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not shutil.which("nginx", path="/usr/sbin:/usr/bin"), reason="no nginx"),
]


@pytest.fixture(
    scope="module",
    params=[("single", "vxlan", ()), ("single", "bgp", ()), ("leafspine", "bgp", ("lb=bgp",))],
    ids=lambda param: "-".join((*param[:2], *param[2])),
)
def asked(request: pytest.FixtureRequest, shared_lab: StartLab) -> Iterator[Site]:
    topology, cni, settings = request.param
    options = ("--ingress", "nginx", "--proxy", "iptables")
    running = shared_lab(topology=topology, cni=cni, settings=settings, options=options)
    apply(running, [*echo("a", [80]), ingress("one", ("x.test", "/", "a"))])
    with site(running, "nginx") as found:
        yield found


@pytest.mark.parametrize("policy", ["Local", "Cluster", "Local"])
def test_the_client_that_a_pod_sees(asked: Site, policy: str) -> None:
    (service,) = asked.lab.objects("services", "ingress-nginx")
    service = {k: v for k, v in service.items() if k != "status"}
    service["metadata"] = {k: service["metadata"][k] for k in ("name", "namespace", "labels")}
    service["spec"] = {k: v for k, v in service["spec"].items() if k != "healthCheckNodePort"}
    asked.lab.apply([{**service, "spec": {**service["spec"], "externalTrafficPolicy": policy}}])
    answer = asked.browser.get(asked.address, "x.test", headers={"X-Forwarded-For": "192.0.2.1"})
    headers = json.loads(answer.body)["headers"]
    client = asked.lab.address("external/client")
    (seen,) = headers["X-Forwarded-For"]
    assert headers["X-Real-Ip"] == [seen]
    if policy == "Local":
        assert seen == client
    else:
        assert seen in addresses(asked)


def addresses(asked: Site) -> set[str]:
    """All addresses of all nodes."""
    found: set[str] = set()
    for node in asked.lab.objects("nodes"):
        argv = ["hostname", "-I"]
        with asked.lab.popen(
            f"node/{node['metadata']['name']}", argv, stdout=subprocess.PIPE
        ) as process:
            found |= set(process.communicate()[0].decode().split())
    return found
