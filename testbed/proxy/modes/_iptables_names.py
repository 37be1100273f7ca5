"""Names of kube-proxy's chains.

A chain's name may have 28 characters, so it has a hash of what it is for. Source:
``pkg/proxy/iptables/proxier.go`` (``portProtoHash``, ``servicePortEndpointChainName``).
"""

from __future__ import annotations

from base64 import b32encode
from hashlib import sha256

from testbed.cluster.serviceview import ServicePortName

SERVICES = "KUBE-SERVICES"
EXTERNAL_SERVICES = "KUBE-EXTERNAL-SERVICES"
NODE_PORTS = "KUBE-NODEPORTS"
POSTROUTING = "KUBE-POSTROUTING"
MARK_MASQ = "KUBE-MARK-MASQ"
FORWARD = "KUBE-FORWARD"
PROXY_FIREWALL = "KUBE-PROXY-FIREWALL"
FIREWALL = "KUBE-FIREWALL"


def _hash(text: str) -> str:
    return b32encode(sha256(text.encode()).digest()[:10]).decode()


def port_hash(name: ServicePortName) -> str:
    """The 16 characters that the chains of a port share, after ``KUBE-SVC-`` and its like."""
    return _hash(f"{name}{name.protocol.lower()}")


def endpoint_chain(name: ServicePortName, endpoint: str) -> str:
    """The chain of one endpoint.

    Args:
        name: The port.
        endpoint: ``IP:PORT``.
    """
    return "KUBE-SEP-" + _hash(f"{name}{name.protocol.lower()}{endpoint}")
