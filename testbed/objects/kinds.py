"""The kinds that this lab serves: one entry each.

To serve another kind, write a module with a ``KIND`` like :mod:`testbed.objects.namespace` and add
it here. Every other kind that Kubernetes knows is checked against its schema and then refused.
"""

from __future__ import annotations

from testbed.objects import deployment, namespace, pod
from testbed.objects.kind import Kind

SERVED: dict[tuple[str, str], Kind] = {
    (kind.api_version, kind.kind): kind for kind in (namespace.KIND, pod.KIND, deployment.KIND)
}
"""(apiVersion, kind) → the kind."""
