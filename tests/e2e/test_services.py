"""Services of a running lab: made, changed, followed and deleted; no proxy programs them yet."""

from __future__ import annotations

import json
from typing import Any

import pytest
from labs import RunningLab, StartLab
from machine import until

pytestmark = pytest.mark.e2e

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: c
        image: agnhost
        args: [netexec, --http-port=8080]
        ports: [{name: http, containerPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {tier: front}}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
"""

DATABASE = """
apiVersion: v1
kind: Service
metadata: {name: database}
spec: {ports: [{port: 5432}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: database}
subsets: [{addresses: [{ip: 192.168.0.200}], ports: [{port: 5432}]}]
"""


@pytest.fixture(scope="module")
def web(shared_lab: StartLab) -> RunningLab:
    return shared_lab(manifests=(WEB,), settings=("nodes=2",))


def items(lab: RunningLab, *kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(lab.run("get", *kind, "-o", "json").stdout)["items"]
    return found


def ready(lab: RunningLab) -> set[str]:
    """The addresses of the ready endpoints of ``web``."""
    slices = items(lab, "endpointslices", "-l", "kubernetes.io/service-name=web")
    ends = [one for item in slices for one in item["endpoints"] if one["conditions"]["ready"]]
    return {one["addresses"][0] for one in ends}


def pod_addresses(lab: RunningLab) -> set[str]:
    return {pod["status"]["podIP"] for pod in items(lab, "pods", "-l", "app=web")}


def test_a_service_is_in_kubernetes_shape(web: RunningLab) -> None:
    service = json.loads(web.run("get", "svc", "web", "-o", "json").stdout)
    assert service["kind"] == "Service"
    assert service["spec"]["clusterIPs"] == [service["spec"]["clusterIP"]] == ["10.96.1.1"]
    assert service["spec"]["ports"][0]["nodePort"] == 30_086
    assert service["status"] == {"loadBalancer": {}}
    (item,) = items(web, "endpointslices")
    assert item["metadata"]["ownerReferences"][0]["uid"] == service["metadata"]["uid"]
    uids = {pod["metadata"]["uid"] for pod in items(web, "pods")}
    assert {one["targetRef"]["uid"] for one in item["endpoints"]} == uids
    (made,) = items(web, "endpoints")
    assert {a["targetRef"]["uid"] for a in made["subsets"][0]["addresses"]} == uids


def test_tables_and_details(web: RunningLab) -> None:
    header, line = web.run("get", "services", "-o", "wide").stdout.splitlines()
    assert " ".join(header.split()) == "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE SELECTOR"
    cells = line.split()
    del cells[5]  # the age
    assert " ".join(cells) == "web NodePort 10.96.1.1 <none> 80:30086/TCP app=web"
    assert web.run("get", "svc,ep", code=2).stdout == ""
    assert web.run("get", "svc", "-o", "name").stdout == "service/web\n"
    said = web.run("get", "ep").stdout
    assert all(f"{address}:8080" in said for address in pod_addresses(web))
    said = web.run("describe", "service", "web").stdout
    assert "NodePort:                 http  30086/TCP\n" in said
    assert all(f"{address}:8080" in said for address in pod_addresses(web))


def test_apply_says_what_it_did_and_delete_takes_away(web: RunningLab) -> None:
    before = items(web, "svc")
    assert web.run("apply", "-f", "-", text=WEB).stdout.splitlines() == [
        "deployment.apps/web unchanged",
        "service/web unchanged",
    ]
    more = ("apply", "-f", "-")
    assert web.run(*more, text=DATABASE).stdout.splitlines() == [
        "service/database created",
        "endpoints/database created",
    ]
    addresses = [
        one["addresses"]
        for item in items(web, "endpointslices", "-l", "kubernetes.io/service-name=database")
        for one in item["endpoints"]
    ]
    assert addresses == [["192.168.0.200"]]
    changed = DATABASE.replace("port: 5432}]}\n---", "port: 5433, targetPort: 5432}]}\n---")
    assert web.run(*more, text=changed).stdout.splitlines() == [
        "service/database configured",
        "endpoints/database unchanged",
    ]
    assert web.run("delete", "svc", "database").stdout == 'service "database" deleted\n'
    assert items(web, "svc") == before
    assert [item["metadata"]["name"] for item in items(web, "endpoints")] == ["web"]


def test_endpoints_follow_the_pods(web: RunningLab) -> None:
    assert ready(web) == pod_addresses(web)
    web.run("apply", "-f", "-", text=WEB.replace("replicas: 2", "replicas: 3"))
    until(lambda: ready(web) == pod_addresses(web) and len(ready(web)) == 3, "three endpoints")
    names = {item["metadata"]["name"] for item in items(web, "endpointslices")}
    web.run("apply", "-f", "-", text=WEB)
    assert ready(web) == pod_addresses(web)
    assert len(ready(web)) == 2
    assert {item["metadata"]["name"] for item in items(web, "endpointslices")} == names


ENDS = """
apiVersion: v1
kind: Pod
metadata: {name: brief, labels: {app: web}}
spec:
  restartPolicy: Never
  containers:
  - {name: c, image: busybox, command: [sh, -c, 'mkfifo /tmp/end; read line < /tmp/end']}
"""


def test_a_pod_that_ends_leaves_the_endpoints(web: RunningLab) -> None:
    web.run("apply", "-f", "-", text=ENDS)
    (brief,) = (p for p in items(web, "pods") if p["metadata"]["name"] == "brief")
    address = brief["status"]["podIP"]
    until(lambda: address in ready(web), "the pod is a ready endpoint")
    until(
        lambda: web.run("exec", "brief", "--", "test", "-p", "/tmp/end", code=None).returncode == 0,
        "the container has made its pipe",
    )
    web.run("exec", "brief", "--", "sh", "-c", "echo > /tmp/end")
    until(lambda: address not in listed(web), "the pod is no endpoint any more")
    web.run("delete", "pod", "brief")
    assert ready(web) == pod_addresses(web)


def listed(lab: RunningLab) -> set[str]:
    """All addresses in the slices of ``web``."""
    slices = items(lab, "endpointslices", "-l", "kubernetes.io/service-name=web")
    return {one["addresses"][0] for item in slices for one in item["endpoints"]}


BAD = [
    ("{name: web}, spec: {ports: [{port: 0}]}", "spec.ports[0].port: Invalid value: 0"),
    ("{name: b}, spec: {clusterIP: 10.96.1.1, ports: [{port: 80}]}",
     "provided IP is already allocated"),
    ("{name: b}, spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}", "not in the valid range"),
    ("{name: web}, spec: {clusterIP: 10.96.0.9, ports: [{port: 80}]}", "may not change once set"),
    ("{name: b}, spec: {type: NodePort, ports: [{port: 80, nodePort: 80}]}",
     "The range of valid ports is 30000-32767"),
    ("{name: b}, spec: {type: NodePort, ports: [{port: 80, nodePort: 30086}]}",
     "provided port is already allocated"),
    ("{name: b}, spec: {type: ExternalName, externalName: a.b, clusterIP: 10.96.0.9}",
     "spec.clusterIPs: Forbidden: may not be set for ExternalName services"),
    ("{name: 'b\"; flush ruleset'}, spec: {ports: [{port: 80}]}", "a DNS-1035 label must consist"),
    ("{name: b, namespace: nowhere}, spec: {ports: [{port: 80}]}", "unknown namespace 'nowhere'"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "message"), BAD)
def test_bad_services_change_nothing(web: RunningLab, body: str, message: str) -> None:
    before = items(web, "svc"), items(web, "endpointslices"), items(web, "endpoints")
    good = "{apiVersion: v1, kind: Service, metadata: {name: good}, spec: {ports: [{port: 1}]}}\n"
    bad = f"{{apiVersion: v1, kind: Service, metadata: {body}}}\n"
    done = web.run("apply", "-f", "-", text=f"{good}---\n{bad}", code=2)
    assert done.stdout == ""
    assert message in done.stderr
    assert done.stderr.startswith("testbed: -:3 (document 2): ")
    assert (items(web, "svc"), items(web, "endpointslices"), items(web, "endpoints")) == before
