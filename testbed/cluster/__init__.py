"""The controllers' part, pure: nodes and their address ranges, replicas, placement, addresses.

:func:`new` makes an empty cluster of a topology; :func:`apply` and :func:`delete` make the next
one from API objects. A cluster never changes: each call gives a new value in which what stays
keeps its name, node and address.
"""

from testbed.cluster.model import BoundPod, Cluster, Node, Options
from testbed.cluster.new import new
from testbed.cluster.reconcile import apply, delete

__all__ = ["BoundPod", "Cluster", "Node", "Options", "apply", "delete", "new"]
