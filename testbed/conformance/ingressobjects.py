"""The objects that the suite ``ingress`` makes: Services, pods, Ingresses and a certificate."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from testbed.conformance import temporary

HOST = "test"
"""The domain of the hosts, below the namespace (RFC 6761)."""

PODS = 2
"""Of each Service."""

_PORT = 3000
Json = dict[str, Any]


def objects(namespace: str, class_name: str, only: str = "") -> list[Json]:
    """All objects, but for the namespace.

    Args:
        namespace: Where they are.
        class_name: Of the Ingresses.
        only: The name of one Ingress, for that one alone.
    """
    rows = {
        "plain": [
            ("plain", "Prefix", "/prefix", "one"),
            ("plain", "Prefix", "/prefix/long", "two"),
            ("plain", "Exact", "/exact", "two"),
            ("*.wild", "Prefix", "/", "two"),
        ],
        "secure": [("secure", "Prefix", "/", "one")],
        "late": [("late", "Prefix", "/", "one")],
    }
    made = {name: _ingress(namespace, name, some, class_name) for name, some in rows.items()}
    host = f"secure.{namespace}.{HOST}"
    made["secure"]["spec"]["tls"] = [{"hosts": [host], "secretName": "secure"}]
    if only:
        return [made[only]]
    crt, key, _ = certificate(namespace)
    secret = {"type": "kubernetes.io/tls", "stringData": {"tls.crt": crt, "tls.key": key}}
    found = [_object("v1", "Secret", namespace, "secure", **secret)]
    for service in ("one", "two"):
        found += _service(namespace, service)
    return [*found, made["plain"], made["secure"]]


def _object(version: str, kind: str, namespace: str, name: str, **rest: Any) -> Json:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def _ingress(
    namespace: str, name: str, rows: Iterable[tuple[str, str, str, str]], class_name: str
) -> Json:
    hosts: dict[str, list[Json]] = {}
    for host, kind, path, service in rows:
        backend = {"service": {"name": service, "port": {"number": 80}}}
        hosts.setdefault(f"{host}.{namespace}.{HOST}", []).append(
            {"path": path, "pathType": kind, "backend": backend}
        )
    rules = [{"host": host, "http": {"paths": paths}} for host, paths in hosts.items()]
    spec = {"ingressClassName": class_name, "rules": rules}
    return _object("networking.k8s.io/v1", "Ingress", namespace, name, spec=spec)


def _service(namespace: str, name: str) -> list[Json]:
    labels = {"app": name}
    env = [
        {"name": "SERVICE_NAME", "value": name},
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    probe = {"tcpSocket": {"port": _PORT}, "periodSeconds": 1}
    container = {"name": "echo", "image": "echoserver", "env": env, "readinessProbe": probe}
    pod = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    all_labels = {**labels, temporary.LABEL: namespace}
    spec = {
        "replicas": PODS,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": all_labels}, "spec": pod},
    }
    ports = [{"port": 80, "targetPort": _PORT}]
    return [
        _object("v1", "Service", namespace, name, spec={"selector": labels, "ports": ports}),
        _object("apps/v1", "Deployment", namespace, name, spec=spec),
    ]


@cache
def certificate(namespace: str) -> tuple[str, str, bytes]:
    """The certificate of the namespace's host ``secure`` and its key in PEM, and itself in DER."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, namespace)])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1))
    builder = builder.not_valid_after(now + timedelta(days=30))
    names = x509.SubjectAlternativeName([x509.DNSName(f"secure.{namespace}.{HOST}")])
    made = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private = key.private_bytes(pem, kind, plain).decode()
    return (
        made.public_bytes(pem).decode(),
        private,
        made.public_bytes(serialization.Encoding.DER),
    )
