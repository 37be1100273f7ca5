"""The packet flows of kube-proxy's own tests, by real connections, in proxy mode ipvs.

What they are, and where the mode answers otherwise, is in :mod:`servicecases`.
With ``FIDELITY_IPVS`` in the environment the real kube-proxy is asked the same.
"""

from __future__ import annotations

import os

import pytest
from machines import StartVmLab
from servicecases import FILE, GROUPS, Group, wrong

pytestmark = pytest.mark.skipif(not FILE.exists(), reason=f"{FILE} is not there")


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_flows(vm_lab: StartVmLab, group: Group) -> None:
    assert not wrong(vm_lab, group, "ipvs", "vxlan")


@pytest.mark.skipif(not os.environ.get("FIDELITY_IPVS"), reason="takes long; FIDELITY_IPVS asks")
@pytest.mark.usefixtures("kube_proxy")
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_flows_of_kube_proxy(vm_lab: StartVmLab, group: Group) -> None:
    """Its first sync takes a minute or two in software emulation."""
    assert not wrong(vm_lab, group, "kube-proxy-ipvs", "vxlan")
