"""The relay of TCP connections loses nothing, also with the asyncio of Debian 12's own Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DEBIANS = "/usr/bin/python3"

# A client speaks at once, and the relay is slow to find an endpoint; the endpoint answers.
RELAYED = """
import asyncio, time
from testbed.relay import origin, tcp

class Table:
    def find(self, *place):
        return self
    def next(self, *asked):
        time.sleep(0.2)
        return self.endpoint

async def answer(reader, writer):
    writer.write(await reader.readexactly(5) + b"!")
    await reader.read()
    writer.close()

async def main():
    table, loop = Table(), asyncio.get_running_loop()
    origin.of_tcp = lambda link: ("10.96.0.1", 80)
    async with await asyncio.start_server(answer, "127.0.0.1") as endpoint:
        table.endpoint = endpoint.sockets[0].getsockname()
        relay = await loop.create_server(lambda: tcp.Client(table), "127.0.0.1")
        async with relay:
            reader, writer = await asyncio.open_connection(*relay.sockets[0].getsockname())
            writer.write(b"hello")
            print((await asyncio.wait_for(reader.readexactly(6), 10)).decode())
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.close()

asyncio.run(main())
"""


@pytest.mark.parametrize("python", [sys.executable, DEBIANS])
def test_what_a_client_sends_at_once_arrives(python: str) -> None:
    if not Path(python).exists():
        pytest.skip(f"there is no {python}")
    done = subprocess.run(
        [python, "-c", RELAYED],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("hello!\n", 0), done.stderr
