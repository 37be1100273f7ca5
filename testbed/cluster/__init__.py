"""The controllers' part, pure: nodes and their address ranges, replicas, placement, addresses.

:func:`new` makes an empty cluster of a topology; :func:`apply` and :func:`delete` make the next
one from API objects. A cluster never changes: each call gives a new value in which what stays
keeps its name, node and address.

Of Services: what is allocated for them is in :mod:`~testbed.cluster.services`, where their
endpoints are in :mod:`~testbed.cluster.discovery`, what proxies see of both in
:mod:`~testbed.cluster.serviceview`.
"""

from testbed.cluster.apiservice import delete, with_api
from testbed.cluster.model import BoundPod, BoundService, Cluster, Node, Options
from testbed.cluster.new import new
from testbed.cluster.reconcile import apply, held

__all__ = [
    "BoundPod",
    "BoundService",
    "Cluster",
    "Node",
    "Options",
    "apply",
    "delete",
    "held",
    "new",
    "with_api",
]
