"""A change that the machine has no room for leaves the lab as it was, and usable."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from labs import RunningLab, StartLab

from testbed.lab.client import Lab

pytestmark = pytest.mark.e2e

PODS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: pause}}]}}
"""
CLIENT = """\
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec: {containers: [{name: client, image: pause}]}
"""


def names(lab: RunningLab) -> set[str]:
    """The pods, each with its address."""
    lines = lab.run("get", "pods", "-o", "wide").stdout.splitlines()[1:]
    return {" ".join((line.split()[0], line.split()[5])) for line in lines}


def limit_open_files(lab: RunningLab, more: int) -> None:
    """Has the lab's process get no more than so many further descriptors."""
    supervisor = Lab(lab.name).pid
    pid = int(Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()[0])
    most = len(list(Path(f"/proc/{pid}/fd").iterdir())) + more
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))


def test_more_pods_than_a_process_may_have_files(lab: StartLab) -> None:
    started = lab(manifests=[PODS.format(replicas=2), CLIENT])
    before = names(started)
    limit_open_files(started, 100)
    said = started.run("apply", "-f", "-", text=PODS.format(replicas=300), code=4).stderr
    assert said.startswith("testbed: Too many open files: the lab's process may have ")
    assert names(started) == before
    for pod in before:
        started.exec("default/client", "ping", "-c", "1", "-W", "5", pod.split()[1])
    started.run("apply", "-f", "-", text=PODS.format(replicas=20))
    assert len(names(started)) == 21
    started.run("delete", "deployment", "web")
    assert len(names(started)) == 1


def test_pods_that_a_refused_change_had_ended_run_again(lab: StartLab) -> None:
    served = PODS.replace("pause", "{image}")
    started = lab(manifests=[served.format(replicas=2, image="nginx"), CLIENT])
    before = names(started)
    limit_open_files(started, 100)
    other = served.format(replicas=300, image="pause")  # replaces all pods
    started.run("apply", "-f", "-", text=other, code=4)
    assert names(started) == before
    for pod in before:
        if pod.startswith("web"):
            url = f"http://{pod.split()[1]}/"
            assert "nginx" in started.exec(
                "default/client", "curl", "-sS", "--retry", "5", "--retry-connrefused", "-i", url
            )
