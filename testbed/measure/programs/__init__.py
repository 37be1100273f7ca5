"""Programs of our own that run alone inside pods: the standard library, nothing of this project.

They are started by path, without site packages and without the environment (``-S -E``), so that a
start costs 20 ms and nothing that a user has installed takes part in a measurement.
"""

from __future__ import annotations

import sys
from pathlib import Path


def argv(name: str) -> list[str]:
    """The beginning of the command line that runs a program of this folder.

    Args:
        name: The file, without its suffix.
    """
    return [sys.executable, "-S", "-E", str(Path(__file__).with_name(f"{name}.py"))]
