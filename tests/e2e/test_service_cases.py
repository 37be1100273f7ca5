"""The packet flows of kube-proxy's own tests, by real connections, in each proxy mode.

What they are and how they are mapped to a lab is in :mod:`servicecases`; ``ipvs`` is in
``tests/vm``.
"""

from __future__ import annotations

import pytest
from labs import StartLab
from servicecases import FILE, GROUPS, MODES, Group, wrong

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not FILE.exists(), reason=f"{FILE} is not there"),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_flows(lab: StartLab, group: Group, mode: str) -> None:
    assert not wrong(lab, group, mode, "vxlan")


@pytest.mark.parametrize("mode", MODES)
def test_flows_to_pods_without_a_bridge(lab: StartLab, mode: str) -> None:
    assert not wrong(lab, GROUPS[0], mode, "bgp")
