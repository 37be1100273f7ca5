"""The fixture of tests that want the machine for themselves; labs are in ``tests/conftest.py``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from machine import Machine, machine_of_its_own


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A machine of the test's own (:mod:`machine`)."""
    with machine_of_its_own() as made:
        yield made
