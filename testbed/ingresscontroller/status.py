"""What others can ask the controller over HTTP, on port 10254 as with ingress-nginx.

``/healthz``
    200 while the proxy serves something, 500 before.
``/served?ingresses=12&services=9``
    Waits until what the API had at these versions is served (or refused), and says which Ingresses
    are this controller's, and what was refused:
    ``{"ingresses": [["default", "shop"]], "error": ""}``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Served:
    """What the proxy serves.

    Attributes:
        versions: Plural → the API's version up to which objects of that kind are taken up.
        ingresses: Namespace and name of those that are this controller's.
        error: Why the newest state is not served; empty if it is.
    """

    versions: Mapping[str, int] = field(default_factory=dict)
    ingresses: tuple[tuple[str, str], ...] = ()
    error: str = ""


class Status:
    """Answers who asks."""

    def __init__(self) -> None:
        self._served: Served | None = None
        self._news = asyncio.Event()
        self._healthy = False

    def tell(self, served: Served) -> None:
        """Something else is served, or the same at later versions."""
        self._served = served
        self._healthy |= not served.error
        self._news.set()
        self._news = asyncio.Event()

    async def open(self, port: int) -> None:
        """Listens."""
        application = web.Application()
        application.add_routes([web.get("/healthz", self._healthz), web.get("/served", self._wait)])
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104 - probes ask from the node

    async def _healthz(self, _: web.Request) -> web.Response:
        if not self._healthy:
            return web.Response(status=500, text="nothing is served yet\n")
        return web.Response(text="ok")

    async def _wait(self, request: web.Request) -> web.Response:
        try:
            wanted = {plural: int(version) for plural, version in request.query.items()}
        except ValueError:
            raise web.HTTPBadRequest from None
        while self._served is None or not _reached(self._served.versions, wanted):
            await self._news.wait()
        found = self._served
        return web.json_response({"ingresses": found.ingresses, "error": found.error})


def _reached(versions: Mapping[str, int], wanted: Mapping[str, int]) -> bool:
    return all(versions.get(plural, 0) >= version for plural, version in wanted.items())
