"""What a suite adds to a lab is waited for, and nothing else of the lab."""

from __future__ import annotations

from testbed.conformance.temporary import namespaces


def test_a_new_namespace_is_not_in_the_default_one() -> None:
    """Else a pod of the user's that never gets ready would be waited for."""
    made = {"kind": "Namespace", "metadata": {"name": "own"}}
    pod = {"kind": "Pod", "metadata": {"name": "a", "namespace": "own"}}
    assert namespaces([made, pod]) == {"own"}
