"""A pod whose readiness is asked by gRPC: it is an endpoint as long as it says SERVING."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import yaml
from labs import RunningLab, StartLab

pytestmark = pytest.mark.e2e

PATIENCE = 30.0
CONTAINER: dict[str, Any] = {
    "name": "c",
    "image": "agnhost",
    "args": ["grpc-health-checking", "--port=5000", "--http-port=8080", "--service=shop.Cart"],
    "readinessProbe": {
        "grpc": {"port": 5000, "service": "shop.Cart"},
        "periodSeconds": 1,
        "failureThreshold": 1,
        "timeoutSeconds": 10,
    },
}
MANIFEST = yaml.safe_dump_all(
    [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "cart", "labels": {"app": "cart"}},
            "spec": {"containers": [CONTAINER], "terminationGracePeriodSeconds": 0},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "cart"},
            "spec": {"selector": {"app": "cart"}, "ports": [{"port": 80, "targetPort": 5000}]},
        },
    ]
)


def ready(lab: RunningLab) -> list[bool]:
    """Whether the endpoints of the Service are ready."""
    slices = json.loads(lab.run("get", "endpointslices", "-o", "json").stdout)["items"]
    own = [s for s in slices if s["metadata"]["name"].startswith("cart-")]
    return [end["conditions"]["ready"] for s in own for end in s["endpoints"]]


def until(lab: RunningLab, expected: list[bool]) -> None:
    end = time.monotonic() + PATIENCE
    while ready(lab) != expected:
        assert time.monotonic() < end, lab.run("describe", "pod", "cart").stdout
        time.sleep(0.2)  # the command has no way to wait for it


def test_readiness_is_what_the_service_says(lab: StartLab) -> None:
    running = lab(manifests=(MANIFEST,), settings=("nodes=1",))
    assert ready(running) == [True]  # `up` waits for it
    for word, expected in (("not-serving", False), ("serving", True)):
        running.exec("default/cart", "curl", "-s", f"127.0.0.1:8080/make-{word}")
        until(running, [expected])
    pod = json.loads(running.run("get", "pod", "cart", "-o", "json").stdout)
    assert pod["status"]["containerStatuses"][0]["ready"] is True
