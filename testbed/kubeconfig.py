"""A kubeconfig for a lab's API, which has no credentials.

Source: client-go ``tools/clientcmd/api/v1``, Kubernetes 1.34.
"""

from __future__ import annotations

from typing import Any

import yaml

PORT = 6443
"""Of the API on each node, that of a kube-apiserver; it speaks plain HTTP."""


def config(lab: str, server: str) -> dict[str, Any]:
    """The kubeconfig as an object.

    Args:
        lab: The lab's name, which cluster, user and context get.
        server: The URL.
    """
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": lab, "cluster": {"server": server}}],
        "users": [{"name": lab, "user": {}}],
        "contexts": [{"name": lab, "context": {"cluster": lab, "user": lab}}],
        "current-context": lab,
    }


def text(lab: str, server: str) -> str:
    """The kubeconfig as YAML, see :func:`config`."""
    return yaml.safe_dump(config(lab, server), sort_keys=False)
