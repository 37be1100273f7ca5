"""CoreDNS as kubeadm installs it, and what it takes around it.

Source: ``CoreDNSService``, ``CoreDNSDeployment`` in
``cmd/kubeadm/app/phases/addons/dns/manifests.go``, Kubernetes 1.34. What a lab has no use for is
left out (affinity, tolerations, priority, service account, resources). Two things differ: the
Corefile is a file of the lab's, for there are no ConfigMaps, and readiness is asked for each second
and not each tenth, because ``up`` waits for it.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from testbed.cluster.apiservice import PORT, SERVICE_PORT
from testbed.cluster.model import BoundPod, Cluster
from testbed.defaults import NONE
from testbed.dns import internet, resolvconf
from testbed.dns.corefile import Corefile
from testbed.dns.resolvconf import Kubelet, ResolvConf
from testbed.objects import Object, from_manifest
from testbed.plan.model import FABRIC, File, NamespacePlan, Plan

IMAGE = "registry.k8s.io/coredns/coredns:v1.12.1"
"""What kubeadm 1.34 installs."""

NAMESPACE, SERVICE, DEPLOYMENT = "kube-system", "kube-dns", "coredns"
COREFILE = "/run/coredns/Corefile"
_LABELS = {"k8s-app": "kube-dns"}
_REPLICAS = 2
_DNS_IP, _API_IP = 10, 1  # which of the service CIDR's addresses (kubeadm's GetDNSIP)
Manifest = dict[str, Any]


def wanted(cluster: Cluster) -> bool:
    """Whether a cluster is to have DNS."""
    return cluster.options.dns != NONE


def address(cluster: Cluster) -> str:
    """The cluster IP of cluster DNS, ``10.96.0.10``."""
    return str(IPv4Network(cluster.options.service_cidr)[_DNS_IP])


def kubelet(cluster: Cluster) -> Kubelet:
    """What the kubelets of a cluster know of DNS."""
    domain = cluster.options.cluster_domain
    if not wanted(cluster):
        return Kubelet(cluster_domain=domain)
    node = ResolvConf((internet.resolver(cluster)[1],))
    return Kubelet(node, (address(cluster),), domain)


def resolv_conf(cluster: Cluster, bound: BoundPod) -> ResolvConf:
    """The ``/etc/resolv.conf`` of a pod of a cluster."""
    spec, namespace = bound.pod.spec, bound.key[0]
    return resolvconf.of_pod(
        kubelet(cluster), namespace, spec.dns_policy, spec.host_network, spec.dns_config
    )


def corefile(cluster: Cluster, proxied: bool) -> Corefile:
    """The Corefile of a cluster.

    Args:
        cluster: The cluster.
        proxied: Whether pods reach Services; where they do not, the API is the first node's.
    """
    options = cluster.options
    api = f"{IPv4Network(options.service_cidr)[_API_IP]}:{SERVICE_PORT}"
    direct = f"{cluster.nodes[0].address}:{PORT}"
    endpoint = f"http://{api if proxied else direct}"
    return Corefile(options.cluster_domain, endpoint, options.dns_pods)


def plan(cluster: Cluster, proxied: bool) -> Plan:
    """The Corefile and the resolver outside the cluster; nothing for a cluster without DNS."""
    if not wanted(cluster):
        return Plan()
    files = (File(COREFILE, corefile(cluster, proxied).text, 0o644),)
    return Plan({FABRIC: NamespacePlan(files=files)}) + internet.plan(cluster)


def objects(cluster: Cluster) -> list[Object]:
    """The Service and the Deployment; none for a cluster without DNS."""
    if not wanted(cluster):
        return []
    return [from_manifest(_service(address(cluster))), from_manifest(_deployment())]


def _service(cluster_ip: str) -> Manifest:
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
        {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153},
    ]
    labels = {"kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"}
    scraped = {"prometheus.io/port": "9153", "prometheus.io/scrape": "true"}
    metadata = {"name": SERVICE, "namespace": NAMESPACE}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**metadata, "labels": {**_LABELS, **labels}, "annotations": scraped},
        "spec": {"clusterIP": cluster_ip, "ports": ports, "selector": _LABELS},
    }


def _deployment() -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": DEPLOYMENT, "namespace": NAMESPACE, "labels": _LABELS},
        "spec": {
            "replicas": _REPLICAS,
            "selector": {"matchLabels": _LABELS},
            "template": {
                "metadata": {"labels": _LABELS},
                "spec": {"containers": [_container()], "dnsPolicy": "Default"},
            },
        },
    }


def _container() -> Manifest:
    ports = [("dns", 53, "UDP"), ("dns-tcp", 53, "TCP"), ("metrics", 9153, "TCP")]
    ports += [("liveness-probe", 8080, "TCP"), ("readiness-probe", 8181, "TCP")]
    alive = {"path": "/health", "port": "liveness-probe", "scheme": "HTTP"}
    ready = {"path": "/ready", "port": "readiness-probe", "scheme": "HTTP"}
    return {
        "name": "coredns",
        "image": IMAGE,
        "args": ["-conf", COREFILE],
        "ports": [{"name": n, "containerPort": p, "protocol": kind} for n, p, kind in ports],
        "livenessProbe": {
            "httpGet": alive, "initialDelaySeconds": 60, "timeoutSeconds": 5, "failureThreshold": 5,
        },
        "readinessProbe": {"httpGet": ready, "periodSeconds": 1},
    }  # fmt: skip
