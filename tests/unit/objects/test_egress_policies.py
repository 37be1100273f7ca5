"""CiliumEgressGatewayPolicies: what is refused, and in which words."""

from __future__ import annotations

import pytest

from testbed.errors import InputError
from testbed.objects import EgressPolicy, parse

GOOD = """\
apiVersion: cilium.io/v2
kind: CiliumEgressGatewayPolicy
metadata: {name: p}
spec:
  selectors:
  - podSelector: {matchLabels: {app: a}}
  destinationCIDRs:
  - "203.0.113.7/24"
  excludedCIDRs:
  - 203.0.113.128/25
  egressGateway:
    nodeSelector: {matchLabels: {kubernetes.io/hostname: n2}}
    egressIP: "192.168.0.50"
"""


def test_a_policy() -> None:
    (found,) = parse(GOOD, "f")
    assert isinstance(found, EgressPolicy)
    assert [str(one) for one in found.destinations] == ["203.0.113.0/24"]
    assert [str(one) for one in found.excluded] == ["203.0.113.128/25"]
    assert found.address == "192.168.0.50"
    assert found.metadata.key == ("", "p")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"203.0.113.7/24"', "203.0.113.7", "f:8: spec.destinationCIDRs[0]: Invalid value"),
        ('"203.0.113.7/24"', '"::/0"', "f:8: spec.destinationCIDRs[0]: Invalid value"),
        ('"203.0.113.7/24"', '"1.2.3.4/0.0.0.255"', "f:8: spec.destinationCIDRs[0]: Invalid"),
        ('"203.0.113.7/24"', '"1.2.3.4/33"', "f:8: spec.destinationCIDRs[0]: Invalid value"),
        ('"203.0.113.7/24"', '"1.2.3.0/24 -j DROP"', "f:8: spec.destinationCIDRs[0]: Invalid"),
        ('"203.0.113.7/24"', '"1.2.3.0/24\\n"', "f:8: spec.destinationCIDRs[0]: Invalid value"),
        ("203.0.113.128/25", "x/25", "f:10: spec.excludedCIDRs[0]: Invalid value"),
        ('"192.168.0.50"', '"fd00::1"', "f:13: spec.egressGateway.egressIP: Invalid value"),
        ('"192.168.0.50"', '"192.168.0.50\\n"', "f:13: spec.egressGateway.egressIP: Invalid"),
        ("egressIP:", "interface:", "f:13: spec.egressGateway.interface: Forbidden: this lab"),
        ("egressIP:", "egresIP:", "unknown field 'egresIP'; did you mean 'egressIP'?"),
        ("  excludedCIDRs:\n  -", "  egressGateways: []\n  excludedCIDRs:\n  -", "Forbidden"),
        ("podSelector", "nodeSelector", "cannot have both nil namespace selector and nil pod"),
        ("selectors:\n  -", "selectors:\n   ", "spec.selectors: Invalid value"),
        ("app: a", "app: a b", "spec.selectors[0].podSelector.matchLabels.app: Invalid value"),
        ("{name: p}", "{name: p, namespace: x}", "metadata.namespace: Forbidden"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        parse(GOOD.replace(old, new), "f")
    assert message in str(caught.value)
