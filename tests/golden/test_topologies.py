"""The topologies, host by host and link by link.

``UPDATE_GOLDEN=1 pytest tests/golden/test_topologies.py`` writes the files anew.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from testbed.topology.load import load, names

FOLDER = Path(__file__).parent / "topology"  # the name of no package


@pytest.mark.parametrize("name", names())
def test_the_default_topology(name: str) -> None:
    text = yaml.safe_dump(asdict(load(name, {})), sort_keys=False, default_flow_style=None)
    golden = FOLDER / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()
