"""The packet flows of kube-proxy's own tests, by real connections, in proxy mode ipvs.

What they are, and where the mode answers otherwise, is in :mod:`servicecases`.
"""

from __future__ import annotations

import pytest
from machines import StartVmLab
from servicecases import FILE, GROUPS, Group, wrong

pytestmark = pytest.mark.skipif(not FILE.exists(), reason=f"{FILE} is not there")


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_flows(vm_lab: StartVmLab, group: Group) -> None:
    assert not wrong(vm_lab, group, "ipvs", "vxlan")
