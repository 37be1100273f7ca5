"""``agnhost pause``: does nothing until a signal; exit code 1 on SIGINT, 2 on SIGTERM.

Source: kubernetes ``test/images/agnhost/pause/pause.go``.
"""

from __future__ import annotations

import signal
import sys

from testbed.images.agnhost.common import flags

CODES = {signal.SIGINT: 1, signal.SIGTERM: 2}


def main(arguments: list[str]) -> None:
    """Waits for a signal."""
    flags("pause").parse_args(arguments)
    signal.pthread_sigmask(signal.SIG_BLOCK, CODES)
    print("Paused", flush=True)
    code = CODES[signal.Signals(signal.sigwait(CODES))]
    print(f"exiting {code}", flush=True)
    sys.exit(code)
