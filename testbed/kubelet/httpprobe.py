"""The request of an ``httpGet`` probe, and what its answer means.

As in ``pkg/probe/http`` (``http.go``, ``request.go``): a new connection each time, no proxy, no
check of certificates; redirects are followed on the same host, at most ten; one to another host
counts as it is. A code from 200 to 399 is good.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit, urlunsplit

from testbed.kubelet.readiness import GOOD, Answer, Unasked
from testbed.objects.probe import HttpGet

if TYPE_CHECKING:
    import aiohttp

Headers = list[tuple[str, str]]

_MOST_HOPS = 10
_MOST_READ = 10 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)
_USER_AGENT = "kube-probe/1.34"


def url(get: HttpGet, host: str, port: int) -> str:
    """The address that a probe asks; whatever its path says, host and port are these."""
    try:
        split = urlsplit(get.path)
        path, query = split.path, split.query
    except ValueError:
        path, query = get.path, ""
    return urlunsplit((get.scheme.lower(), f"{host}:{port}", f"/{path.lstrip('/')}", query, ""))


def headers(get: HttpGet) -> Headers:
    """The headers that a probe sends: those it asks for, and defaults for the others.

    An empty ``Accept`` is not sent at all.
    """
    given = {name.lower() for name, _ in get.headers}
    defaults = (("User-Agent", _USER_AGENT), ("Accept", "*/*"))
    own = [(n, v) for n, v in get.headers if v or n.lower() != "accept"]
    return own + [(name, value) for name, value in defaults if name.lower() not in given]


async def get(
    where: str, sent: Headers, seconds: float, make_socket: Callable[[], socket.socket]
) -> Answer:
    """Asks once.

    Args:
        where: The address.
        sent: The headers.
        seconds: For all of it.
        make_socket: Makes a socket that is not yet connected.

    Raises:
        TimeoutError: There was no answer in time.
        Unasked: The answer's body broke off.
    """
    import aiohttp

    connector = aiohttp.TCPConnector(
        ssl=False,
        force_close=True,
        family=socket.AF_INET,
        socket_factory=lambda _: make_socket(),
    )
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
        timeout=aiohttp.ClientTimeout(total=seconds),
    )
    async with session:
        try:
            return await _follow(session, where, sent)
        except aiohttp.ClientPayloadError as error:
            raise Unasked(f"{where}: {error}") from None
        except (aiohttp.ClientError, ValueError) as error:
            return Answer(False, f"{where}: {error}")


async def _follow(session: aiohttp.ClientSession, where: str, sent: Headers) -> Answer:
    """Follows redirects as long as they stay on the host."""
    host = urlsplit(where).hostname
    for _ in range(_MOST_HOPS):
        async with session.get(where, headers=sent, allow_redirects=False) as response:
            await response.content.read(_MOST_READ)
            code, target = response.status, response.headers.get("Location")
        if code not in _REDIRECTS or not target:
            break
        if urlsplit(target).netloc:  # the header Host was for the first address
            sent = [(name, value) for name, value in sent if name.lower() != "host"]
        where = urljoin(where, target)
        if urlsplit(where).hostname != host:
            break
    else:
        return Answer(False, f"{where}: stopped after {_MOST_HOPS} redirects")
    if 200 <= code < 400:
        return GOOD
    return Answer(False, f"HTTP probe failed with statuscode: {code}")
