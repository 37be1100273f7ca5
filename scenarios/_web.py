"""What the scenarios of Ingress share: web servers, their Service and their Ingresses.

The servers are real nginx. Each number of rules has a host of its own, ``rules-1000.test`` with
1,000 paths, and the last of them is asked for, so that one lab has all of them; hosts are found by
a table, whatever their number, so other hosts' rules make no difference to a request.
"""

from __future__ import annotations

import datetime
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from typing import Any

import yaml

from scenarios import _outside, _pods

NAME = "site"
RULES = (1, 10, 100, 1000)
_CLASS = "nginx.ingress.kubernetes.io/ssl-redirect"
_POOL = 150  # where addresses are looked for; loadbalancer-failover has one from .100 on


def host(rules: int) -> str:
    """The host that has so many rules."""
    return f"rules-{rules}.test"


def path(rules: int) -> str:
    """The last of its paths."""
    return f"/{rules:05d}"


def manifest(nodes: Sequence[str]) -> str:
    """A server on the last node, its Service, certificate and Ingresses.

    Raises:
        InputError: There are fewer than two nodes.
    """
    found = [server(NAME, nodes[-1]), service(NAME, _outside.far_from(nodes, _POOL)), _secret()]
    found += [ingress(host(rules), [path(i + 1) for i in range(rules)]) for rules in RULES]
    return _pods.manifest(nodes) + "---\n" + yaml.safe_dump_all(found)


def server(name: str, node: str, app: str = NAME) -> dict[str, Any]:
    """A pod with nginx."""
    probe = {"tcpSocket": {"port": 80}, "periodSeconds": 1, "failureThreshold": 1}
    container = {"name": "server", "image": "nginx", "readinessProbe": probe}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": _pods.NAMESPACE, "labels": {"app": app}},
        "spec": {"nodeName": node, "containers": [container]},
    }


def service(name: str, address: str) -> dict[str, Any]:
    """The Service of the pods with this label ``app``, at a load balancer's address."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": _pods.NAMESPACE},
        "spec": {
            "type": "LoadBalancer",
            "loadBalancerIP": address,
            "selector": {"app": name},
            "ports": [{"port": 80}],
        },
    }


def ingress(host_: str, paths: Sequence[str], to: str = NAME) -> dict[str, Any]:
    """An Ingress with the same Service behind all paths, by HTTP and HTTPS."""
    backend = {"service": {"name": to, "port": {"number": 80}}}
    rules = [{"path": one, "pathType": "Prefix", "backend": backend} for one in paths]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": host_,
            "namespace": _pods.NAMESPACE,
            "annotations": {_CLASS: "false"},
        },
        "spec": {
            "rules": [{"host": host_, "http": {"paths": rules}}],
            "tls": [{"hosts": [host_], "secretName": NAME}],
        },
    }


@cache  # one for all labs of a campaign
def _secret() -> dict[str, Any]:
    """A key of ECDSA P-256 and its certificate, made anew in each process."""
    certificate, key = _certificate([host(rules) for rules in RULES])
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": NAME, "namespace": _pods.NAMESPACE},
        "type": "kubernetes.io/tls",
        "data": {
            "tls.crt": b64encode(certificate).decode(),
            "tls.key": b64encode(key).decode(),
        },
    }


def _certificate(hosts: Sequence[str]) -> tuple[bytes, bytes]:
    """A certificate for hosts that is signed by its own key, and the key; both PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hosts[0])])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(one) for one in hosts])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=90))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    pem = serialization.Encoding.PEM
    return made.public_bytes(pem), key.private_bytes(pem, form, serialization.NoEncryption())
