"""The API without a lab: what is told is served, and only what has changed is told."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from testbed.cluster.discovery import discover
from testbed.lab.standaloneapi import StandaloneApi
from testbed.objects import Object, from_manifest
from testbed.spec import apply, resolve

SECONDS = 30
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"


class Served:
    """A cluster behind an API."""

    def __init__(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self._port = listener.getsockname()[1]
        self.api = StandaloneApi(listener)
        self.cluster = resolve(proxy="none").cluster

    def become(self, *objects: Object) -> None:
        self.cluster = apply(self.cluster, objects)
        self.api.become(discover(self.cluster))

    def get(self, path: str) -> Any:
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, SECONDS)) as client:
            client.request("GET", path)
            return json.load(client.getresponse())

    def names(self, path: str) -> list[str]:
        return [item["metadata"]["name"] for item in self.get(path)["items"]]

    def watch(self, path: str, version: str, count: int) -> list[tuple[str, str]]:
        """The first events after a version: type and name."""
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, SECONDS)) as client:
            client.request("GET", f"{path}?watch=true&resourceVersion={version}")
            answer = client.getresponse()
            events = [json.loads(answer.readline()) for _ in range(count)]
        return [(event["type"], event["object"]["metadata"]["name"]) for event in events]


@pytest.fixture
def served() -> Iterator[Served]:
    made = Served()
    with made.api:
        yield made


def service(name: str, port: int = 80) -> Object:
    spec = {"ports": [{"port": port}]}
    found = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
    return from_manifest(found)


def slice_(name: str) -> Object:
    labels = {"kubernetes.io/service-name": name}
    return from_manifest(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": f"{name}-1", "labels": labels},
            "addressType": "IPv4",
            "ports": [{"port": 8080}],
            "endpoints": [{"addresses": ["10.244.1.2"]}],
        }
    )


def test_a_cluster_is_served(served: Served) -> None:
    served.become(service("a"), slice_("a"))
    assert served.names("/api/v1/nodes") == ["n1", "n2", "n3"]
    assert served.names("/api/v1/services") == ["a"]
    assert served.names(SLICES) == ["a-1"]
    assert served.names("/apis/networking.k8s.io/v1/servicecidrs") == ["kubernetes"]
    (item,) = served.get("/api/v1/services")["items"]
    assert item["spec"]["clusterIP"] == "10.96.1.1"


def test_a_watch_is_told_what_has_changed_and_nothing_else(served: Served) -> None:
    served.become(service("a"), service("b"))
    version = served.get("/api/v1/services")["metadata"]["resourceVersion"]
    served.become(service("b", 81), service("a"), service("c"))
    served.api.remove("services", [("default", "a")])
    events = served.watch("/api/v1/services", version, 3)
    assert sorted(events[:2]) == [("ADDED", "c"), ("MODIFIED", "b")]
    assert events[2] == ("DELETED", "a")


def test_an_object_can_be_put_by_itself(served: Served) -> None:
    served.become(service("a"))
    item = served.get("/api/v1/services")["items"][0]
    served.api.put("services", [{**item, "metadata": {**item["metadata"], "name": "z"}}])
    served.api.remove("services", [("default", "a")])
    watched = served.watch("/api/v1/services", item["metadata"]["resourceVersion"], 2)
    assert watched == [("ADDED", "z"), ("DELETED", "a")]
