"""``python3 -m testbed.ingresscontroller``."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path

import aiohttp

from testbed.ingress.addon import FOLDER, HEALTH_PORT
from testbed.ingress.contract import Setting, controllers
from testbed.ingresscontroller.log import log
from testbed.ingresscontroller.status import Status
from testbed.ingresscontroller.sync import Sync
from testbed.ingresscontroller.watching import Watch
from testbed.objects import SERVED

WATCHED = ("ingresses", "ingressclasses", "services", "endpointslices", "secrets")
"""The kinds of which a routing is made."""


async def serve(options: argparse.Namespace, folder: str) -> int:
    """Watches and serves until it is told to end, or the proxy has ended."""
    controller = controllers.get(options.controller)
    changed, status, ended = asyncio.Event(), Status(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
    async with aiohttp.ClientSession(options.apiserver_host, timeout=timeout) as session:
        kinds = {kind.plural: kind for kind in SERVED.values()}
        watches = {plural: Watch(session, kinds[plural], changed.set) for plural in WATCHED}
        sync = Sync(controller, Setting(folder), watches, status, changed)
        await status.open(options.healthz_port)
        log(f"{options.controller}, API at {options.apiserver_host}")
        tasks = [asyncio.create_task(watch.run()) for watch in watches.values()]
        tasks += [asyncio.create_task(sync.run()), asyncio.create_task(_gone(sync))]
        done, _ = await asyncio.wait(
            [*tasks, asyncio.create_task(ended.wait())], return_when=asyncio.FIRST_COMPLETED
        )
        if ended.is_set():
            return await _quit(sync)
        for task in done:
            log(f"ends: {task.exception() or 'the proxy has ended'!r}")
        return 1


async def _gone(sync: Sync) -> None:
    """Returns when the proxy has ended."""
    while sync.proxy.process is None:
        await sync.proxy.started.wait()
    await sync.proxy.process.wait()


async def _quit(sync: Sync) -> int:
    """Lets the proxy end what it has begun; the kubelet's patience is the limit."""
    sync.proxy.quit()
    if sync.proxy.process is not None:
        await sync.proxy.process.wait()
    return 0


def main(arguments: list[str]) -> int:
    """Runs the controller."""
    parser = argparse.ArgumentParser(prog="testbed.ingresscontroller")
    parser.add_argument("--controller", required=True, choices=controllers.names())
    parser.add_argument("--apiserver-host", required=True, help="URL of the API")
    parser.add_argument("--healthz-port", type=int, default=HEALTH_PORT)
    options = parser.parse_args(arguments)
    Path(FOLDER).mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER, ignore_cleanup_errors=True) as folder:
        return asyncio.run(serve(options, folder))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
