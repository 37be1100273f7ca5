"""The kinds that this lab serves: one entry each.

To serve another kind, write a module with a ``KIND`` like :mod:`testbed.objects.namespace` and add
it here. Every other kind that Kubernetes knows is checked against its schema and then refused.
"""

from __future__ import annotations

from testbed.objects import (
    deployment,
    egresspolicy,
    endpoints,
    endpointslice,
    ingress,
    ingressclass,
    namespace,
    pod,
    secret,
    service,
)
from testbed.objects.kind import Kind

_KINDS = (
    namespace.KIND,
    pod.KIND,
    deployment.KIND,
    service.KIND,
    endpoints.KIND,
    endpointslice.KIND,
    ingress.KIND,
    ingressclass.KIND,
    secret.KIND,
    egresspolicy.KIND,
)

SERVED: dict[tuple[str, str], Kind] = {(kind.api_version, kind.kind): kind for kind in _KINDS}
"""(apiVersion, kind) → the kind."""
