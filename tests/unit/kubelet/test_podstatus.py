"""What a pod's phase and its containers make of its conditions."""

from __future__ import annotations

from typing import Any

import pytest

from testbed.kubelet import podstatus

NOT_READY = {"status": "False", "reason": "ContainersNotReady"}
CASES: list[tuple[str, list[str], dict[str, Any]]] = [
    ("Running", [], {"status": "True"}),
    ("Running", ["a"], NOT_READY | {"message": "containers with unready status: [a]"}),
    ("Pending", ["a", "b"], NOT_READY | {"message": "containers with unready status: [a b]"}),
    ("Succeeded", ["a"], {"status": "False", "reason": "PodCompleted"}),
    ("Failed", ["a"], {"status": "False", "reason": "PodFailed"}),
]


@pytest.mark.parametrize(("phase", "unready", "said"), CASES)
def test_conditions(phase: str, unready: list[str], said: dict[str, Any]) -> None:
    assert podstatus.readiness(phase, unready) == said
