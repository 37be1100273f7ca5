"""Workers of pytest-xdist: a file's tests run in one, those of the virtual machine all in one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from scheduling import scope

ROOT = Path(__file__).parents[2]
FILES = ("tests/unit/test_docs.py", "tests/unit/test_errors_and_registry.py")


def test_scopes() -> None:
    assert scope("tests/e2e/test_a.py::test_one[x::y]") == "tests/e2e/test_a.py"
    assert scope("tests/vm/test_a.py::test_one") == scope("tests/vm/test_b.py::test_two")


def test_a_file_runs_in_one_worker() -> None:
    """Asked of pytest-xdist itself: its own grouping once stopped to work without a word."""
    argv = (sys.executable, "-m", "pytest", "-v", "-n", "2", "-p", "no:cacheprovider", *FILES)
    said = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^\[(gw\d)\].*PASSED ([^:]+)::", said, re.MULTILINE)
    workers = {file: {worker for worker, ran in found if ran == file} for file in FILES}
    assert [len(some) for some in workers.values()] == [1, 1]
