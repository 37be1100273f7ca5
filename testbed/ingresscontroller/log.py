"""What the controller says, which ``testbed logs`` shows."""

from __future__ import annotations

import sys
from datetime import UTC, datetime


def log(message: str) -> None:
    """Prints a message with the time; what users wrote is kept from being a line of its own."""
    text = message.encode("unicode_escape").decode() if not message.isprintable() else message
    print(f"{datetime.now(UTC):%H:%M:%S.%f} {text}", file=sys.stderr, flush=True)
