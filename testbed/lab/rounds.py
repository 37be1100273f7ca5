"""Work in rounds: a thread that looks at how things are now, whenever something may have changed.

What changes while a round is done is all of it done in the next one; no time is waited for. So a
round must be able to start from any state, and one that fails is made good by the next.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from testbed.errors import LabError


class Rounds:
    """A job that one thread does again and again, when asked.

    Args:
        name: For messages.
        job: What is done; what it raises is told to whoever waits.
        after: What is done after the first round, when nobody waits any more.
    """

    def __init__(
        self, name: str, job: Callable[[], None], after: Callable[[], None] | None = None
    ) -> None:
        self._name, self._job, self._after = name, job, after
        self._condition = threading.Condition()
        self._wanted = self._done = 0
        self._error: LabError | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def wake(self) -> None:
        """Asks for a round; returns at once. Before the first :meth:`flush` nothing happens."""
        with self._condition:
            if self._wanted:
                self._wanted += 1
                self._condition.notify_all()

    def flush(self) -> None:
        """Asks for a round, and waits until it is done.

        Raises:
            LabError: It failed.
        """
        with self._condition:
            if not self._wanted:
                self._thread.start()
            self._wanted += 1
            mine = self._wanted
            self._condition.notify_all()
            self._condition.wait_for(lambda: self._done >= mine)
            error = self._error
        if error is not None:
            raise error

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._wanted > self._done)
                wanted = self._wanted
            error = self._try(self._job)
            with self._condition:
                self._done, self._error = wanted, error
                self._condition.notify_all()
            if self._after is not None:
                self._try(self._after)
                self._after = None

    def _try(self, job: Callable[[], None]) -> LabError | None:
        try:
            job()
        except LabError as caught:
            error = caught
        except Exception as caught:  # whoever waits must be told
            error = LabError(f"internal error: {caught!r}")
        else:
            return None
        print(f"{self._name}: {error}", file=sys.stderr, flush=True)
        return error
