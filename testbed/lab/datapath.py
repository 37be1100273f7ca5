"""Which datapath Open vSwitches get on this machine."""

from __future__ import annotations

from dataclasses import replace

from testbed.doctor import features
from testbed.errors import MissingError
from testbed.plan import sdn
from testbed.spec import Spec


def choose(spec: Spec) -> Spec:
    """The spec with ``datapath=auto`` replaced: the kernel's if it has one, else userspace."""
    options = spec.cluster.options
    if not spec.topology.openvswitches or options.datapath != sdn.AUTO:
        return spec
    try:
        features.require((sdn.KERNEL_DATAPATH,))
        found = "kernel"
    except MissingError:
        found = "user"
    cluster = replace(spec.cluster, options=replace(options, datapath=found))
    return spec.with_cluster(cluster)
