"""Cells as Kubernetes' own printers write them, and ages."""

from __future__ import annotations

from typing import Any

import pytest
from api_builders import pod

from testbed.api import age, columns, podcells

RUNNING: dict[str, Any] = {"running": {"startedAt": "2026-01-02T03:04:05Z"}}
ENDED = "2026-01-02T03:04:05Z"


def container(name: str, state: dict[str, Any], ready: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "state": state,
        "ready": ready,
        "restartCount": 0,
        "started": ready,
        **more,
    }


def terminated(code: int, reason: str = "") -> dict[str, Any]:
    return {
        "terminated": {"exitCode": code, "finishedAt": ENDED}
        | ({"reason": reason} if reason else {})
    }


def waiting(reason: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason}}


def made(
    containers: list[dict[str, Any]],
    phase: str = "Running",
    init: list[dict[str, Any]] | None = None,
    sidecars: tuple[str, ...] = (),
    **status: Any,
) -> dict[str, Any]:
    found = pod("p", 1, phase=phase, status={"containerStatuses": containers, **status})
    found["spec"]["containers"] = [{"name": item["name"]} for item in containers]
    if init is not None:
        found["status"]["initContainerStatuses"] = init
        found["spec"]["initContainers"] = [
            {"name": i["name"]} | ({"restartPolicy": "Always"} if i["name"] in sidecars else {})
            for i in init
        ]
    return found


CREATING = container("c", waiting("ContainerCreating"), ready=False)
# After printers_test.go of Kubernetes: the pod, READY, STATUS.
PODS = [
    (made([container("c", RUNNING)]), "1/1", "Running"),
    (made([container("c", RUNNING), container("d", RUNNING, ready=False)]), "1/2", "Running"),
    (made([CREATING], "Pending"), "0/1", "ContainerCreating"),
    (made([], "Pending"), "0/0", "Pending"),
    (made([container("c", waiting("CrashLoopBackOff"), ready=False)]), "0/1", "CrashLoopBackOff"),
    (made([container("c", terminated(0, "Completed"), ready=False)], "Succeeded"), "0/1",
     "Completed"),
    (made([container("c", terminated(3, "Error"), ready=False)], "Failed"), "0/1", "Error"),
    (made([container("c", terminated(3), ready=False)], "Failed"), "0/1", "ExitCode:3"),
    (made([container("c", terminated(0, "Completed"), ready=False), container("d", RUNNING)],
          conditions=[{"type": "Ready", "status": "True"}]), "1/2", "Running"),
    (made([container("c", terminated(0, "Completed"), ready=False), container("d", RUNNING)],
          conditions=[{"type": "Ready", "status": "False"}]), "1/2", "NotReady"),
    (made([CREATING], "Pending", [container("i", RUNNING, ready=False)]), "0/1", "Init:0/1"),
    (made([CREATING], "Pending",
          [container("i", terminated(0)), container("j", waiting("PodInitializing"))]),
     "0/1", "Init:1/2"),
    (made([CREATING], "Pending", [container("i", terminated(1, "Error"))]), "0/1", "Init:Error"),
    (made([CREATING], "Pending", [container("i", terminated(7))]), "0/1", "Init:ExitCode:7"),
    (made([CREATING], "Pending", [container("i", waiting("ErrImagePull"))]), "0/1",
     "Init:ErrImagePull"),
    (made([container("c", RUNNING)], init=[container("s", RUNNING)], sidecars=("s",)), "2/2",
     "Running"),
    (made([CREATING], "Pending", [container("s", RUNNING), container("i", RUNNING)], ("s",)),
     "1/2", "Init:1/2"),
]  # fmt: skip


@pytest.mark.parametrize(("item", "ready", "status"), PODS)
def test_the_state_of_a_pod(item: dict[str, Any], ready: str, status: str) -> None:
    assert (podcells.ready(item), podcells.status(item)) == (ready, status)


def test_a_pod_that_is_being_ended_is_terminating() -> None:
    item = made([container("c", RUNNING)])
    item["metadata"]["deletionTimestamp"] = ENDED
    assert podcells.status(item) == "Terminating"
    item["status"]["phase"] = "Succeeded"
    assert podcells.status(item) != "Terminating"


def test_restarts_say_when_the_last_one_was() -> None:
    again = container("c", RUNNING, restartCount=3, lastState=terminated(1))
    assert podcells.restarts(made([again])).startswith("3 (")
    assert podcells.restarts(made([again])).endswith(" ago)")
    assert podcells.restarts(made([container("c", RUNNING, restartCount=2)])) == "2"


def cells(plural: str, item: dict[str, Any]) -> dict[str, Any]:
    return {column.name: column.cell(item) for column in columns.of(plural)}


META = {"name": "x", "creationTimestamp": ENDED}


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        ({"type": "ClusterIP", "clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9"],
          "ports": [{"port": 80, "protocol": "TCP"}], "selector": {"b": "1", "a": "2"}}, {},
         ("ClusterIP", "10.96.0.9", "<none>", "80/TCP", "a=2,b=1")),
        ({"type": "NodePort", "clusterIPs": ["10.96.0.9"], "externalIPs": ["1.2.3.4"],
          "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"},
                    {"port": 53, "protocol": "UDP"}]}, {},
         ("NodePort", "10.96.0.9", "1.2.3.4", "80:30080/TCP,53/UDP", "<none>")),
        ({"type": "LoadBalancer", "clusterIPs": ["10.96.0.9"], "ports": []}, {},
         ("LoadBalancer", "10.96.0.9", "<pending>", "<none>", "<none>")),
        ({"type": "LoadBalancer", "clusterIPs": ["10.96.0.9"], "externalIPs": ["9.9.9.9"]},
         {"loadBalancer": {"ingress": [{"ip": "5.6.7.8"}]}},
         ("LoadBalancer", "10.96.0.9", "5.6.7.8,9.9.9.9", "<none>", "<none>")),
        ({"type": "ExternalName", "externalName": "example.org"}, {},
         ("ExternalName", "<none>", "example.org", "<none>", "<none>")),
        ({"clusterIP": "None", "clusterIPs": ["None"]}, {},
         ("ClusterIP", "None", "<none>", "<none>", "<none>")),
    ],
)  # fmt: skip
def test_a_service(spec: dict[str, Any], status: dict[str, Any], expected: tuple[str, ...]) -> None:
    found = cells("services", {"metadata": META, "spec": spec, "status": status})
    names = ("Type", "Cluster-IP", "External-IP", "Port(s)", "Selector")
    assert tuple(found[name] for name in names) == expected


def test_endpoints_show_three_and_how_many_more() -> None:
    addresses = [{"ip": f"10.0.0.{number}"} for number in range(5)]
    subset = {"addresses": addresses, "ports": [{"port": 80}]}
    found = cells("endpoints", {"metadata": META, "subsets": [subset]})
    assert found["Endpoints"] == "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 2 more..."
    assert cells("endpoints", {"metadata": META})["Endpoints"] == "<none>"


def test_an_endpoint_slice() -> None:
    endpoints = [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}]
    item = {
        "metadata": META,
        "addressType": "IPv4",
        "ports": [{"port": 80}],
        "endpoints": endpoints,
    }
    found = cells("endpointslices", item)
    assert (found["Ports"], found["Endpoints"]) == ("80", "10.0.0.1,10.0.0.2")
    bare = {"metadata": META, "addressType": "IPv4", "ports": None, "endpoints": None}
    assert cells("endpointslices", bare)["Ports"] == "<none>"


def test_a_node() -> None:
    labels = {"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/edge": ""}
    item = {
        "metadata": {**META, "labels": labels},
        "spec": {"unschedulable": True},
        "status": {
            "conditions": [{"type": "Ready", "status": "False"}],
            "addresses": [{"type": "InternalIP", "address": "192.168.0.11"}],
            "nodeInfo": {"kernelVersion": "6.1", "kubeletVersion": "v1.34.0"},
        },
    }
    found = cells("nodes", item)
    assert found["Status"] == "NotReady,SchedulingDisabled"
    assert (found["Roles"], found["Version"]) == ("edge,worker", "v1.34.0")
    assert (found["Internal-IP"], found["OS-Image"]) == ("192.168.0.11", "<unknown>")


def test_a_kind_that_nobody_thought_of_has_name_and_age() -> None:
    assert list(cells("wishes", {"metadata": META})) == ["Name", "Age"]


# The cases of apimachinery's duration_test.go.
@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2, "<invalid>"), (-1, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (190, "3m10s"),
        (600, "10m"), (10800 - 60, "179m"), (10800, "3h"), (12600, "3h30m"), (28800, "8h"),
        (172800 - 3600, "47h"), (172800, "2d"), (176400, "2d1h"), (8 * 86400, "8d"),
        (365 * 86400, "365d"), (729 * 86400, "729d"), (730 * 86400, "2y"), (731 * 86400, "2y1d"),
        (8 * 365 * 86400, "8y"), (9 * 365 * 86400 + 86400, "9y"),
    ],
)  # fmt: skip
def test_durations(seconds: int, text: str) -> None:
    assert age.duration(seconds) == text


def test_what_has_no_time_has_no_age() -> None:
    assert age.since(None) == "<unknown>"
