"""What must answer at once loads no heavy library; how long it takes is for a benchmark to say."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "asyncio", "jinja2", "jsonschema", "kubernetes_validate", "matplotlib", "mininet", "numpy",
    "pandas", "pyarrow", "pyroute2", "rich", "scipy", "yaml",
}  # fmt: skip
SAY = "\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"


def loaded(code: str) -> set[str]:
    """The modules that are loaded after some code, in a Python of its own."""
    argv = [sys.executable, "-c", code + SAY]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "from testbed.cli import run; assert run(['--help']) == 0",
        "from testbed.cli import run; assert run(['exec', '--help']) == 0",
        "from testbed.cli import run; assert run(['get', '--help']) == 0",
        "from testbed.cli import run; assert run(['--lab', 'none', 'exec', 'p', '--', 'x']) != 0",
        "import testbed.cli.exec_, testbed.lab.client",
        "import testbed.cli.get, testbed.lab.client",
        "import testbed.cli.ls, testbed.cli.logs, testbed.cli.down",
    ],
)
def test_it_loads_no_heavy_library(code: str) -> None:
    assert not loaded(code) & HEAVY


def test_the_check_sees_a_heavy_library() -> None:
    assert loaded("import testbed.objects") & HEAVY == {"yaml"}
