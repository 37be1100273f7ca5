"""The server, by HTTP: discovery, objects, lists, watches, errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from api_builders import pod, store
from api_server import Running
from test_api_requests import AGGREGATED, KUBECTL

Serve = Callable[..., Running]
INITIAL = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"


def test_discovery_leads_to_all_that_there_is(serve: Serve) -> None:
    running = serve()
    found = set()
    roots = ["/api/" + version for version in running.get("/api")[1]["versions"]]
    for group in running.get("/apis")[1]["groups"]:
        assert running.get(f"/apis/{group['name']}")[1]["versions"] == group["versions"]
        roots += [f"/apis/{entry['groupVersion']}" for entry in group["versions"]]
    for root in roots:
        for resource in running.get(root)[1]["resources"]:
            status, items = running.get(f"{root}/{resource['name']}")
            assert (status, items["kind"]) == (200, resource["kind"] + "List")
            assert resource["verbs"] == ["get", "list", "watch"]
            found.add(resource["name"])
    assert {"pods", "nodes", "namespaces", "services", "deployments", "endpointslices"} <= found


def test_discovery_at_once_says_the_same(serve: Serve) -> None:
    running = serve()
    plain, at_once = set(), set()
    for path in ("/api", "/apis"):
        status, whole = running.get(path, Accept=AGGREGATED)
        assert (status, whole["kind"]) == (200, "APIGroupDiscoveryList")
        for group in whole["items"]:
            for version in group["versions"]:
                name = group["metadata"].get("name", "")
                root = f"/apis/{name}/{version['version']}" if name else "/api/v1"
                at_once |= {(root, entry["resource"]) for entry in version["resources"]}
                listed = running.get(root)[1]["resources"]
                plain |= {(root, entry["name"]) for entry in listed}
    assert plain == at_once
    assert len(plain) >= 7


@pytest.mark.parametrize(
    "path", ["/healthz", "/livez", "/readyz", "/readyz?verbose", "/healthz/ping"]
)
def test_it_is_well(serve: Serve, path: str) -> None:
    assert serve().get(path) == (200, "ok")


def test_the_version_is_one_that_clients_can_read(serve: Serve) -> None:
    found = serve().get("/version")[1]
    assert found["gitVersion"].startswith(f"v{found['major']}.{found['minor']}.")


def test_a_list_and_its_objects(serve: Serve) -> None:
    running = serve()
    status, found = running.get("/api/v1/pods")
    assert (status, found["kind"], found["apiVersion"]) == (200, "PodList", "v1")
    assert found["metadata"] == {"resourceVersion": "102"}
    assert found["items"] == [pod("a", 101), pod("b", 102)]
    assert running.get("/api/v1/namespaces/default/pods/b") == (200, pod("b", 102))
    assert running.get("/api/v1/namespaces/other/pods")[1]["items"] == []


def test_a_long_list_comes_whole(serve: Serve) -> None:
    names = [f"p{number:05}" for number in range(5000)]
    items = serve(store(*names)).get("/api/v1/pods")[1]["items"]
    assert [item["metadata"]["name"] for item in items] == names


def test_a_table_has_kubectls_columns(serve: Serve) -> None:
    running = serve()
    _, table = running.get("/api/v1/pods", Accept=KUBECTL)
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    columns = [(c["name"], c["priority"]) for c in table["columnDefinitions"]]
    assert columns == [
        ("Name", 0), ("Ready", 0), ("Status", 0), ("Restarts", 0), ("Age", 0),
        ("IP", 1), ("Node", 1), ("Nominated Node", 1), ("Readiness Gates", 1),
    ]  # fmt: skip
    row = table["rows"][0]
    assert [row["cells"][i] for i in (0, 2, 5, 6)] == ["a", "Running", "10.244.1.2", "n1"]
    assert row["object"]["kind"] == "PartialObjectMetadata"
    whole = running.get("/api/v1/pods?includeObject=Object", Accept=KUBECTL)[1]
    assert whole["rows"][0]["object"] == pod("a", 101)
    one = running.get("/api/v1/namespaces/default/pods/b?includeObject=None", Accept=KUBECTL)[1]
    assert [list(row) for row in one["rows"]] == [["cells"]]


def test_metadata_only(serve: Serve) -> None:
    form = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    _, found = serve().get("/api/v1/pods", Accept=form)
    assert found["kind"] == "PartialObjectMetadataList"
    assert found["items"][0]["metadata"] == pod("a", 101)["metadata"]
    assert "spec" not in found["items"][0]


@pytest.mark.parametrize(
    ("method", "path", "code", "reason", "message"),
    [
        ("GET", "/api/v1/namespaces/default/pods/x", 404, "NotFound", 'pods "x" not found'),
        ("GET", "/apis/apps/v1/namespaces/a/deployments/x", 404, "NotFound",
         'deployments.apps "x" not found'),
        ("GET", "/api/v1/configmaps", 404, "NotFound", "could not find the requested resource"),
        ("GET", "/nonsense", 404, "NotFound", "could not find the requested resource"),
        ("POST", "/api/v1/namespaces/default/pods", 405, "MethodNotAllowed", "`testbed apply`"),
        ("PUT", "/api/v1/namespaces/default/pods/a", 405, "MethodNotAllowed", "`testbed apply`"),
        ("PATCH", "/api/v1/nodes/n1", 405, "MethodNotAllowed", "`testbed apply`"),
        ("DELETE", "/api/v1/pods", 405, "MethodNotAllowed", "`testbed apply`"),
        ("POST", "/api", 405, "MethodNotAllowed", "`testbed apply`"),
        ("POST", "/nonsense", 404, "NotFound", "could not find the requested resource"),
        ("GET", "/api/v1/pods?limit=x", 400, "BadRequest", "ParseInt"),
        ("GET", "/api/v1/pods?includeObject=x", 400, "BadRequest", "includeObject"),
        ("GET", "/api/v1/pods?resourceVersion=999", 504, "Timeout", "Too large resource version"),
        ("GET", "/api/v1/pods?resourceVersion=7&resourceVersionMatch=Exact", 410, "Expired",
         "too old resource version"),
    ],
)  # fmt: skip
def test_errors_are_statuses(
    serve: Serve, method: str, path: str, code: int, reason: str, message: str
) -> None:
    status, found = serve().get(path, method)
    assert (status, found["kind"], found["status"]) == (code, "Status", "Failure")
    assert (found["code"], found["reason"]) == (code, reason)
    assert message in found["message"]


def test_a_form_that_there_is_not_is_not_acceptable(serve: Serve) -> None:
    status, found = serve().get("/api/v1/pods", Accept="application/vnd.kubernetes.protobuf")
    assert (status, found["reason"]) == (406, "NotAcceptable")


def kinds(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(e["type"], e["object"]["metadata"].get("name", "")) for e in events]


def test_a_watch_tells_what_changes(serve: Serve) -> None:
    running = serve()
    with running.watch("/api/v1/pods?watch=1&resourceVersion=102") as events:
        running.change(lambda s: s.put("pods", pod("c", 103)))
        running.change(lambda s: s.put("pods", pod("c", 104, phase="Failed")))
        running.change(lambda s: s.remove("pods", ("default", "c"), 105))
        found = [next(events) for _ in range(3)]
    assert kinds(found) == [("ADDED", "c"), ("MODIFIED", "c"), ("DELETED", "c")]
    versions = [event["object"]["metadata"]["resourceVersion"] for event in found]
    assert versions == ["103", "104", "105"]
    assert found[1]["object"]["status"]["phase"] == "Failed"


def test_a_watch_of_one_object_and_of_another_kind(serve: Serve) -> None:
    running = serve()
    path = "/api/v1/namespaces/default/pods?watch=1&resourceVersion=102&fieldSelector="
    with running.watch(path + "metadata.name%3Db") as events:
        running.change(lambda s: s.put("pods", pod("a", 103)))
        running.change(lambda s: s.put("pods", pod("b", 104)))
        assert kinds([next(events)]) == [("MODIFIED", "b")]


def test_initial_events_end_with_a_bookmark(serve: Serve) -> None:
    running = serve()
    with running.watch(f"/api/v1/pods?{INITIAL}&allowWatchBookmarks=true") as events:
        found = [next(events) for _ in range(3)]
        running.change(lambda s: s.put("pods", pod("c", 103)))
        found.append(next(events))
    assert kinds(found) == [("ADDED", "a"), ("ADDED", "b"), ("BOOKMARK", ""), ("ADDED", "c")]
    mark = found[2]["object"]["metadata"]
    assert mark["resourceVersion"] == "102"
    assert mark["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_bookmarks_tell_the_version_when_nothing_happens_to_the_kind(serve: Serve) -> None:
    running = serve(bookmarks=0.05)
    path = "/apis/apps/v1/deployments?watch=1&resourceVersion=102&allowWatchBookmarks=1"
    with running.watch(path) as events:
        running.change(lambda s: s.put("pods", pod("c", 107)))
        versions = {next(events)["object"]["metadata"]["resourceVersion"] for _ in range(9)}
    assert "107" in versions


def test_a_watch_ends_when_the_client_says_with_a_bookmark_if_it_wants_one(serve: Serve) -> None:
    running = serve()
    path = "/api/v1/pods?watch=1&resourceVersion=102&timeoutSeconds=1"
    with running.watch(path) as events:
        assert list(events) == []
    with running.watch(path + "&allowWatchBookmarks=true") as events:
        assert [event["type"] for event in events] == ["BOOKMARK"]


def test_a_watch_from_too_long_ago_ends_with_410(serve: Serve) -> None:
    with serve().watch("/api/v1/pods?watch=1&resourceVersion=7") as events:
        found = list(events)
    assert [event["type"] for event in found] == ["ERROR"]
    assert (found[0]["object"]["code"], found[0]["object"]["reason"]) == (410, "Expired")


def test_a_watch_of_tables_has_columns_once(serve: Serve) -> None:
    running = serve()
    with running.watch("/api/v1/pods?watch=1", Accept=KUBECTL) as events:
        found = [next(events) for _ in range(2)]
    assert [len(event["object"]["columnDefinitions"]) for event in found] == [9, 0]
    assert [event["object"]["rows"][0]["cells"][0] for event in found] == ["a", "b"]


def test_a_version_that_comes_in_a_moment_is_waited_for(serve: Serve) -> None:
    running = serve()
    client = running.connect()
    client.sendall(b"GET /api/v1/pods?resourceVersion=103 HTTP/1.0\r\n\r\n")
    assert running.get("/healthz")[0] == 200  # the request before has been read
    running.change(lambda s: s.put("pods", pod("c", 103)))
    with client, client.makefile("rb") as answer:
        body = answer.read().partition(b"\r\n\r\n")[2]
    assert len(json.loads(body)["items"]) == 3
