"""Names of chains and sets per Service, as kube-proxy gives them.

Source: ``pkg/proxy/nftables/proxier.go`` (``hashAndTruncate``, ``servicePortChainNameBase``,
``servicePortEndpointChainNameBase``), Kubernetes 1.34.
"""

from __future__ import annotations

from base64 import b32encode
from functools import lru_cache
from hashlib import sha256

from testbed.cluster.serviceview import Endpoint, ServicePortName

SERVICE, LOCAL, EXTERNAL, FIREWALL = "service-", "local-", "external-", "firewall-"
ENDPOINT, AFFINITY = "endpoint-", "affinity-"
"""What the name of a chain or set begins with."""

_LONGEST = 256 - 16  # bytes of a name in the kernel (NFT_NAME_MAXLEN), less the longest prefix


def service(name: ServicePortName) -> str:
    """What the names of a port's chains have in common.

    Example: ``ULMVA6XW-ns1/svc1/tcp/p80``.
    """
    return hashed(_path(name))


def endpoint(name: ServicePortName, end: Endpoint) -> str:
    """The same of an endpoint: ``5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80``."""
    return hashed(f"{_path(name)}__{end.ip}/{end.port}")


@lru_cache(maxsize=1 << 16)
def hashed(name: str) -> str:
    """A name after eight characters of its hash; cut if it is too long for the kernel."""
    text = f"{b32encode(sha256(name.encode()).digest()[:5]).decode()}-{name}"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _path(name: ServicePortName) -> str:
    return f"{name.namespace}/{name.name}/{name.protocol.lower()}/{name.port}"
