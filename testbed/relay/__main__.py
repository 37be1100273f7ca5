"""``python -m testbed.relay DESCRIPTOR ADDRESS FIRST LAST``: a node's relay, until it is let go.

The descriptor is its end of a stream socket, on which it is told what there is; ``ADDRESS`` and the
ports ``FIRST`` to ``LAST`` are where it listens.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import sys
from collections.abc import Sequence

from testbed.relay.origin import Udp
from testbed.relay.table import Table
from testbed.relay.tcp import Client
from testbed.relay.udp import Port

_LINE = 1 << 30
_BACKLOG = 1024


async def relay(control: socket.socket, address: str, ports: Sequence[int]) -> None:
    """Listens, learns, and returns when nobody tells it anything any more."""
    table, loop, origin = Table(), asyncio.get_running_loop(), Udp()
    for port in ports:
        await loop.create_server(lambda: Client(table), address, port, backlog=_BACKLOG)
        Port(table, origin, (address, port))
    reader, writer = await asyncio.open_connection(sock=control, limit=_LINE)
    while line := await reader.readline():
        table.update(json.loads(line))
        writer.write(b"\n")
        await writer.drain()


def main(argv: Sequence[str]) -> None:
    """Runs the relay."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    control = socket.socket(fileno=int(argv[0]))
    asyncio.run(relay(control, argv[1], range(int(argv[2]), int(argv[3]) + 1)))


if __name__ == "__main__":
    main(sys.argv[1:])
