"""A cluster and a CNI mode to the whole plan of a lab."""

from __future__ import annotations

from collections.abc import Mapping

from testbed.cluster.model import Cluster
from testbed.plan import egress, egresscheck, egressgateway, loadbalancer, underlay
from testbed.plan.contract import CniMode
from testbed.plan.model import ExpectedRoute, Plan


def build(cluster: Cluster, mode: CniMode) -> Plan:
    """All that must exist for the cluster to be there in this mode.

    Raises:
        InputError: The mode cannot carry this cluster.
    """
    mode.check(cluster)
    options = cluster.options
    announcing = loadbalancer.protocol(cluster)
    announcing.check(cluster)
    below = underlay.plan(
        cluster.topology,
        bfd=options.bfd,
        datapath=options.datapath,
        on_link=announcing.on_link(cluster),
    )
    egresscheck.check(cluster)
    planned = below + egress.plan(cluster) + mode.plan(cluster) + egressgateway.plan(cluster)
    return planned + loadbalancer.speakers(cluster, planned)


def expects(cluster: Cluster, mode: CniMode) -> Mapping[str, tuple[ExpectedRoute, ...]]:
    """The routes that daemons must have found, by namespace, before the lab has converged."""
    parts = (underlay.expects(cluster.topology), mode.expects(cluster))
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: tuple(r for part in parts for r in part.get(name, ())) for name in names}
