"""The controller's proxy as a process: what its test refuses does not run, and what ran goes on."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ingressproxy import World, free, ingress

from testbed.ingress import tls
from testbed.ingress.contract import Setting, controllers, digest
from testbed.ingress.model import Routing
from testbed.ingress.routing import routing
from testbed.ingresscontroller import asking
from testbed.ingresscontroller.proxy import Proxy, Refused

pytestmark = pytest.mark.kernel
OWN = tls.own(datetime.now(UTC))


@pytest.fixture
def setting() -> Iterator[Setting]:
    with tempfile.TemporaryDirectory(prefix="ingress-") as folder:
        yield Setting(folder, free(), free(), "127.0.0.1", drain=5)


def routings(controller: str, count: int) -> list[Routing]:
    world = World()
    world.ingress_class("ours", "testbed/ingress", default=True)
    world.service("a", [80])
    made, mine = [], controllers.get(controller)
    for number in range(count):
        world.add(ingress(f"i{number}", (f"x{number}.test", "/", "a")))
        made.append(routing(world.state(), mine.controllers, mine.usual, datetime.now(UTC)))
    world.close()
    return made


@pytest.mark.parametrize("name", ["nginx", "haproxy"])
def test_a_refused_file_changes_nothing(
    name: str, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which(name, path="/usr/sbin:/usr/bin"):
        pytest.skip(f"{name} is not on this machine")
    monkeypatch.setenv("PATH", "/usr/sbin:/usr/bin:/bin")
    asyncio.run(_refused(name, setting))


async def _refused(name: str, setting: Setting) -> None:
    controller = controllers.get(name)
    proxy, (first, second) = Proxy(controller, setting), routings(name, 2)
    mark = digest(first, OWN, setting)
    await proxy.load(controller.files(first, OWN, setting), mark)
    before = files(setting)
    assert proxy.process is not None
    try:
        later = controller.files(second, OWN, setting)
        main = next(path for path in later if path in ("nginx.conf", "haproxy.cfg"))
        with pytest.raises(Refused) as caught:
            await proxy.load({**later, main: later[main] + "\nnonsense;\n", "more": ""}, "other")
        assert "nonsense" in str(caught.value)
        assert files(setting) == before
        assert asking.status(f"{setting.folder}/status.sock") == mark
        for found in (second, first, second):
            mark = digest(found, OWN, setting)
            await proxy.load(controller.files(found, OWN, setting), mark)
            assert answers(setting, "x1.test") == (found is second)
    finally:
        proxy.quit()
        await asyncio.wait_for(proxy.process.wait(), 30)


def files(setting: Setting) -> Mapping[str, str]:
    """The files that the controller has written, which none but its user may read."""
    found = [p for p in Path(setting.folder).rglob("*") if p.suffix in (".conf", ".cfg", ".pem")]
    assert {path.stat().st_mode & 0o777 for path in found} == {0o600}
    assert not (Path(setting.folder) / "more").exists()
    return {str(path): path.read_text() for path in found}


def answers(setting: Setting, host: str) -> bool:
    """Whether a host is somebody's: its endpoint has gone, so it is 502 or 503, or else 404."""
    with socket.create_connection(("127.0.0.1", setting.http), 10) as wire:
        wire.sendall(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        return b" 404 " not in wire.recv(4096).partition(b"\r\n")[0]
