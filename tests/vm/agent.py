"""Runs inside the virtual machine: what the tests ask for, as many things at a time as they like.

Requests and answers are JSON lines on standard input and output::

    {"id": 1, "argv": ["ip", "link"], "input": "", "cwd": "/", "env": {}, "limit": 120}
    {"id": 2, "testbed": ["get", "nodes"], …}
    {"id": 1, "code": 0, "stdout": "…", "stderr": "…"}

``testbed`` is run by a fork of this process, which has imported it already: in software emulation,
that takes a few seconds of each command. The code is -N where signal N ended it (-9 at the limit).
"""

from __future__ import annotations

import heapq
import json
import os
import selectors
import signal
import sys
import tempfile
import time
from typing import Any, NoReturn

_CHUNK = 1 << 16


class Job:
    """A request that is being carried out."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.asked = asked
        self.files = [tempfile.TemporaryFile() for _ in range(3)]  # noqa: SIM115 - closed in answer
        self.files[0].write(asked["input"].encode(errors="surrogateescape"))
        self.files[0].seek(0)
        self.process = os.fork()
        if self.process == 0:
            self._become()
        self.ended = os.pidfd_open(self.process)

    def _become(self) -> NoReturn:
        code = 127
        try:
            os.setsid()
            for to, file in enumerate(self.files):
                os.dup2(file.fileno(), to)
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))
            os.environ.update(self.asked["env"])
            os.chdir(self.asked["cwd"])
            if "argv" in self.asked:
                os.execvp(self.asked["argv"][0], self.asked["argv"])  # noqa: S606
            code = _testbed(self.asked["testbed"])
        except OSError as error:
            os.write(2, f"{error}\n".encode())
        finally:
            os._exit(code)

    def kill(self) -> None:
        """Ends it and what it started in its session."""
        os.killpg(self.process, signal.SIGKILL)

    def answer(self) -> dict[str, Any]:
        """What came of it."""
        os.close(self.ended)
        _, status = os.waitpid(self.process, 0)
        said = []
        for file in self.files:
            file.seek(0)
            said.append(file.read().decode(errors="surrogateescape"))
            file.close()
        code = os.waitstatus_to_exitcode(status)
        return {"id": self.asked["id"], "code": code, "stdout": said[1], "stderr": said[2]}


def _testbed(argv: list[str]) -> int:
    from testbed.cli import run

    code = run(argv)
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def preload() -> None:
    """Imports what most commands of testbed need."""
    import testbed.cli.exec_
    import testbed.cli.get
    import testbed.cli.up
    import testbed.lab.client
    import testbed.lab.daemon
    import testbed.lab.start
    import testbed.objects
    import testbed.spec  # noqa: F401


def serve(source: int, sink: int) -> None:
    """Until the source ends."""
    selector = selectors.DefaultSelector()
    selector.register(source, selectors.EVENT_READ)
    limits: list[tuple[float, int]] = []
    jobs: dict[int, Job] = {}
    rest = b""

    def write(message: dict[str, Any]) -> None:
        view = memoryview(json.dumps(message).encode() + b"\n")
        while view:
            view = view[os.write(sink, view) :]

    write({"id": 0})
    while True:
        left = max(0.0, limits[0][0] - time.monotonic()) if limits else None
        for key, _ in selector.select(left):
            if key.data is None:
                data = os.read(source, _CHUNK)
                if not data:
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    job = Job(json.loads(line))
                    jobs[job.asked["id"]] = job
                    selector.register(job.ended, selectors.EVENT_READ, job)
                    deadline = time.monotonic() + job.asked["limit"]
                    heapq.heappush(limits, (deadline, job.asked["id"]))
            else:
                selector.unregister(key.fileobj)
                del jobs[key.data.asked["id"]]
                write(key.data.answer())
        while limits and limits[0][0] <= time.monotonic():
            late = jobs.get(heapq.heappop(limits)[1])
            if late:
                late.kill()


if __name__ == "__main__":
    ours = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what an import prints is no answer
    preload()
    serve(*ours)
