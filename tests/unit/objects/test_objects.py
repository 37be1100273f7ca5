"""Typed objects and their defaults."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from testbed.errors import InputError
from testbed.objects import (
    SERVED,
    Container,
    ContainerPort,
    Deployment,
    EnvVar,
    Namespace,
    Pod,
    Requirement,
    from_manifest,
    parse,
    requested_address,
    unserved_fields,
)
from testbed.objects.poddefaults import pull_policy
from testbed.objects.schema import known

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {app: web, empty: }
  annotations: {cni.projectcalico.org/ipAddrs: '["10.244.1.9"]'}
  uid: 0a1b
  creationTimestamp: null
spec:
  nodeName: n1
  nodeSelector: {zone: a}
  subdomain: sub
  hostname:
  initContainers:
  - {name: wait, image: busybox, restartPolicy: Always}
  containers:
  - name: main
    image: nginx:1.27
    command: [nginx, -g]
    args: [daemon off;]
    workingDir: /srv
    ports:
    - containerPort: 80
    - {containerPort: 53, name: dns, protocol: UDP}
    env:
    - {name: A, value: "1"}
    - {name: B}
    - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    - {name: APP, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app']"}}}
    resources: {limits: {cpu: 1, memory: 64Mi}, requests: {memory: 32Mi}}
status: {phase: Running}
"""

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector:
    matchLabels: {app: web}
    matchExpressions: [{key: tier, operator: NotIn, values: [db]}]
  template:
    metadata: {labels: {app: web}, annotations: {note: x}}
    spec: {containers: [{name: c, image: nginx, ports: [{containerPort: 80}]}]}
"""


def one(text: str) -> Any:
    (found,) = parse(text, "f.yaml")
    return found


def test_pod() -> None:
    pod = one(POD)
    assert isinstance(pod, Pod)
    assert (pod.metadata.name, pod.metadata.namespace) == ("web", "default")
    assert pod.metadata.labels == {"app": "web", "empty": ""}
    assert str(requested_address(pod.metadata.annotations)) == "10.244.1.9"
    spec = pod.spec
    assert (spec.node_name, spec.node_selector, spec.hostname) == ("n1", {"zone": "a"}, None)
    assert (spec.subdomain, spec.restart_policy, spec.host_network) == ("sub", "Always", False)
    assert (spec.termination_grace_period_seconds, spec.dns_policy) == (30, "ClusterFirst")
    assert [(c.name, c.restart_policy) for c in spec.init_containers] == [("wait", "Always")]
    assert spec.containers == (
        Container(
            name="main",
            image="nginx:1.27",
            command=("nginx", "-g"),
            args=("daemon off;",),
            env=(
                EnvVar("A", "1"),
                EnvVar("B", ""),
                EnvVar("IP", field_path="status.podIP"),
                EnvVar("APP", field_path="metadata.labels['app']"),
            ),
            ports=(ContainerPort(None, 80, "TCP"), ContainerPort("dns", 53, "UDP")),
            working_dir="/srv",
            restart_policy=None,
        ),
    )


def test_manifest_of_a_pod_has_the_defaults_and_no_status() -> None:
    manifest = one(POD).manifest
    assert list(manifest) == ["apiVersion", "kind", "metadata", "spec"]
    assert manifest["metadata"] == {
        "name": "web",
        "namespace": "default",
        "labels": {"app": "web", "empty": ""},
        "annotations": {"cni.projectcalico.org/ipAddrs": '["10.244.1.9"]'},
    }
    spec = {k: v for k, v in manifest["spec"].items() if "ontainers" not in k}
    assert spec == {
        "nodeName": "n1",
        "nodeSelector": {"zone": "a"},
        "subdomain": "sub",
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
        "enableServiceLinks": True,
    }
    container = manifest["spec"]["containers"][0]
    assert container["ports"] == [
        {"containerPort": 80, "protocol": "TCP"},
        {"containerPort": 53, "name": "dns", "protocol": "UDP"},
    ]
    assert container["resources"] == {
        "limits": {"cpu": "1", "memory": "64Mi"},
        "requests": {"cpu": "1", "memory": "32Mi"},
    }
    assert container["env"][2]["valueFrom"] == {
        "fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}
    }
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert container["terminationMessagePath"] == "/dev/termination-log"
    assert container["terminationMessagePolicy"] == "File"
    assert manifest["spec"]["initContainers"][0]["resources"] == {}


def test_deployment() -> None:
    deployment = one(DEPLOYMENT)
    assert isinstance(deployment, Deployment)
    assert (deployment.metadata.namespace, deployment.replicas) == ("shop", 1)
    assert deployment.selector.match_labels == {"app": "web"}
    assert deployment.selector.match_expressions == (Requirement("tier", "NotIn", ("db",)),)
    assert deployment.template.labels == {"app": "web"}
    assert deployment.template.annotations == {"note": "x"}
    assert deployment.template.spec.containers[0].ports == (ContainerPort(None, 80, "TCP"),)
    spec = {
        k: v for k, v in deployment.manifest["spec"].items() if k not in {"template", "selector"}
    }
    assert spec == {
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
        },
    }
    assert "enableServiceLinks" not in deployment.manifest["spec"]["template"]["spec"]


def test_recreate_has_no_rolling_update() -> None:
    text = DEPLOYMENT.replace("spec:\n", "spec:\n  strategy: {type: Recreate}\n", 1)
    assert one(text).manifest["spec"]["strategy"] == {"type": "Recreate"}


def test_pod_of_a_deployment_is_what_its_manifest_would_be() -> None:
    deployment = one(DEPLOYMENT)
    before = copy.deepcopy(deployment.manifest)
    pod = deployment.pod("web-1", {"pod-template-hash": "x1"})
    assert pod.metadata.labels == {"app": "web", "pod-template-hash": "x1"}
    assert (pod.metadata.name, pod.metadata.namespace) == ("web-1", "shop")
    assert pod.manifest["metadata"]["annotations"] == {"note": "x"}
    assert from_manifest(pod.manifest) == pod
    assert deployment.manifest == before


def test_namespace() -> None:
    namespace = one("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {a: b}}\n")
    assert isinstance(namespace, Namespace)
    assert namespace.metadata.namespace is None
    assert namespace.metadata.labels == {"a": "b", "kubernetes.io/metadata.name": "shop"}
    assert "namespace" not in namespace.manifest["metadata"]
    assert namespace.manifest["spec"] == {"finalizers": ["kubernetes"]}


@pytest.mark.parametrize("text", [POD, DEPLOYMENT])
def test_what_is_printed_can_be_applied_again(text: str) -> None:
    first = one(text)
    again = one(yaml.safe_dump(first.manifest))
    assert again == first
    assert again.manifest == first.manifest


def test_a_manifest_of_a_program_is_not_changed() -> None:
    manifest = yaml.safe_load(DEPLOYMENT)
    before = copy.deepcopy(manifest)
    from_manifest(manifest)
    assert manifest == before


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"), ("nginx:latest", "Always"), ("nginx:1.27", "IfNotPresent"),
        ("localhost:5000/nginx", "Always"), ("localhost:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:00", "IfNotPresent"), ("a/b/c:latest@sha256:00", "Always"),
    ],
)  # fmt: skip
def test_pull_policy(image: str, policy: str) -> None:
    assert pull_policy(image) == policy


def test_host_network_takes_the_ports_of_the_host() -> None:
    text = POD.replace("nodeName: n1", "hostNetwork: true")
    ports = one(text).manifest["spec"]["containers"][0]["ports"]
    assert [port["hostPort"] for port in ports] == [80, 53]


def test_every_other_known_kind_is_refused_by_name() -> None:
    others = known().objects.keys() - SERVED.keys()
    assert {("v1", "Event"), ("policy/v1", "PodDisruptionBudget"), ("v1", "ConfigMap")} <= others
    served = "ConfigMap is not served by this lab; served: CiliumEgressGatewayPolicy, Deployment, "
    with pytest.raises(InputError, match=served):
        from_manifest({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})


UNSERVED = """\
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  hostNetwork: true
  hostAliases: [{ip: 10.0.0.1, hostnames: [a]}]
  dnsPolicy: None
  dnsConfig: {nameservers: [10.0.0.1]}
  securityContext: {sysctls: [{name: net.core.somaxconn, value: "1"}]}
  volumes: [{name: v}]
  tolerations: [{operator: Exists}]
  initContainers: [{name: i, image: x, envFrom: [{secretRef: {name: s}}]}]
  containers:
  - name: c
    image: x
    livenessProbe: {tcpSocket: {port: 80}}
    lifecycle: {preStop: {sleep: {seconds: 1}}}
    volumeMounts: [{name: v, mountPath: /v}]
    resources: {limits: {cpu: 1}}
    env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]
"""


def test_unserved_fields() -> None:
    pod = one(UNSERVED)
    assert unserved_fields(pod) == [
        "spec.hostAliases",
        "spec.volumes",
        "spec.securityContext.sysctls",
        "spec.initContainers[0].envFrom",
        "spec.containers[0].lifecycle",
        "spec.containers[0].volumeMounts",
        "spec.containers[0].env[0].valueFrom.secretKeyRef",
    ]
    container = pod.manifest["spec"]["containers"][0]
    assert container["livenessProbe"] == {
        "tcpSocket": {"port": 80},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert pod.manifest["spec"]["volumes"] == [{"name": "v", "emptyDir": {}}]


def test_unserved_fields_of_a_template_and_of_what_has_none() -> None:
    text = DEPLOYMENT.replace(
        "image: nginx,", "image: nginx, lifecycle: {preStop: {exec: {command: [x]}}},"
    )
    expected = ["spec.template.spec.containers[0].lifecycle"]
    assert unserved_fields(one(text)) == expected
    assert unserved_fields(one(POD)) == []
    assert unserved_fields(one("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n")) == []
