"""Proxy mode ipvs programs what the real kube-proxy programs: as natively, in the virtual machine.

See ``tests/kernel/test_kube_proxy_fidelity.py``; :mod:`fidelitypair` runs as a program there. A
sync of kube-proxy takes seconds in software emulation, so only a few clusters are compared, unless
``FIDELITY_IPVS`` says how many histories and how many clusters of each: ``20x10`` for as many as
are compared natively; with it kube-proxy's own test cases are, too (docs/fidelity.md has times).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from machines import Vm

ROOT = Path(__file__).parents[2]
ASKED = os.environ.get("FIDELITY_IPVS", "")
SEEDS, STEPS = (int(number) for number in (ASKED or "1x3").split("x"))
START, EACH = 900.0, 300.0
"""Seconds that kube-proxy may take to start, and each cluster."""


pytestmark = pytest.mark.usefixtures("kube_proxy")


def compare(vm: Vm, clusters: int, *what: str) -> None:
    """Compares so many clusters."""
    argv = (sys.executable, str(ROOT / "tests" / "fidelitypair.py"), "ipvs", *what)
    done = vm.run(*argv, code=None, limit=START + EACH * clusters, PYTHONPATH=str(ROOT))
    assert done.stdout, done.stderr[-4000:]
    assert not json.loads(done.stdout), "\n".join(json.loads(done.stdout))


def test_random_clusters(vm: Vm) -> None:
    compare(vm, SEEDS * STEPS, str(SEEDS), str(STEPS))


@pytest.mark.skipif(not ASKED, reason="takes long; FIDELITY_IPVS asks for it")
def test_cases(vm: Vm) -> None:
    compare(vm, 100, "cases")
