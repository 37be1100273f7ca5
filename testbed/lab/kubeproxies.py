"""The real kube-proxies of a lab: waiting until what the API has told them is in the kernels.

kube-proxy has no way to ask for that, so it is concluded (:mod:`testbed.lab.kubeproxylook`): the
API has the versions that there are now; each kube-proxy has read all that the API has sent; its
last sync began after the last change that it noticed, and succeeded; and it still is so when its
metrics are asked for again, so a change that was read but not yet noticed is not missed.

Its log tells when to look again. A sync begins 1 s after the one before has ended, at the earliest.
"""

from __future__ import annotations

import http.client
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from subprocess import Popen

from testbed.errors import LabError
from testbed.kernel import inotify
from testbed.kernel.executor import Executor
from testbed.kubeconfig import PORT
from testbed.lab import kubeproxylook
from testbed.lab.apiserver import ApiServer
from testbed.lab.hosts import Daemons
from testbed.lab.kubeproxylook import Log, Page, Sync
from testbed.lab.ledger import Ledger
from testbed.proxy.kubeproxy import METRICS, PROGRAM

PATIENCE = 600.0
"""Seconds that all kube-proxies have: in software emulation on a busy machine the first sync takes
minutes."""

_AGAIN = 0.02  # seconds until what no log tells is looked at again
_QUIET = (
    1.0  # seconds until the same, if all that is missing is the end of a sync, which a log tells
)
_LONGEST = 300  # characters of a line of its log
_ANSWER = 30.0  # seconds for one answer over HTTP
_SERVED = "/api/v1/namespaces?limit=1&resourceVersionMatch=NotOlderThan&resourceVersion="


@dataclass
class _Look:
    """What was last seen of a kube-proxy.

    Attributes:
        page: Its metrics, if by them it was done.
        sync: The last sync that had ended.
        syncing: Whether there must be another one.
    """

    page: Page | None = None
    sync: Sync | None = None
    syncing: bool = False


class KubeProxies:
    """Those daemons of a lab that are kube-proxy; there may be none.

    Args:
        executor: Enters namespaces.
        ledger: The versions of the lab's objects.
        api: What tells them.
        daemons: The running daemons.
    """

    def __init__(
        self, executor: Executor, ledger: Ledger, api: ApiServer, daemons: Daemons
    ) -> None:
        self._executor, self._ledger, self._api = executor, ledger, api
        hosts = [host for host, name in daemons.processes if name == PROGRAM]
        self._processes, self._hosts = daemons.processes, hosts
        self._logs = {host: Log(daemons.log(host, PROGRAM)) for host in hosts}

    def flush(self) -> None:
        """Waits until everything up to now is in the kernels.

        A kube-proxy that was killed is not waited for.

        Raises:
            LabError: One has ended, or has not done it in time.
        """
        if not self._hosts:
            return
        end = time.monotonic() + PATIENCE
        with inotify.writes(log.path for log in self._logs.values()) as wait:
            self._await_api(end, wait)
            looks = {host: _Look() for host in self._hosts}
            while looks := {h: look for h, look in looks.items() if not self._done(h, look)}:
                if time.monotonic() > end:
                    raise LabError(self._late(next(iter(looks))))
                wait(_QUIET if all(look.syncing for look in looks.values()) else _AGAIN)

    def _await_api(self, end: float, wait: Callable[[float], None]) -> None:
        """Waits until the API's process has all versions, and so has sent what is new."""
        for plural in ("nodes", "services", "endpointslices"):
            self._ledger.current(plural)
        self._api.notify()
        path = f"{_SERVED}{self._ledger.version}"
        while self._get(self._hosts[0], PORT, path) is None:
            if time.monotonic() > end:
                raise LabError(f"the API does not answer in {PATIENCE:.0f} s")
            wait(_AGAIN)

    def _done(self, host: str, look: _Look) -> bool:
        """Whether a kube-proxy has done what it was told, for the second time in a row."""
        process, log = self._processes[host, PROGRAM], self._logs[host]
        if self._ended(host, process):
            return True
        with suppress(OSError):
            log.look()
            if look.syncing and log.sync == look.sync:
                return False
            before, look.page, look.sync, look.syncing = look.page, None, log.sync, False
            text = None if kubeproxylook.unread(process.pid) else self._metrics(host)
            if text is not None:
                now = kubeproxylook.page(text)
                look.syncing = not kubeproxylook.done(now, log.sync)
                look.page = None if look.syncing else now
                return look.page is not None and (now == before or self._done(host, look))
        return False

    def _ended(self, host: str, process: Popen[bytes]) -> bool:
        code = process.poll()
        if code not in (None, -signal.SIGKILL):
            again = f"testbed fail daemon {host}/{PROGRAM}, testbed heal daemon {host}/{PROGRAM}"
            said = f"{PROGRAM} on {host} has ended ({code}): {self._said(host)}"
            raise LabError(said, hint=f"To start it again: {again}.")
        return code is not None

    def _metrics(self, host: str) -> str | None:
        return self._get(host, METRICS, "/metrics")

    def _get(self, host: str, port: int, path: str) -> str | None:
        """What a node answers at its own 127.0.0.1; None if it does not."""
        asking = http.client.HTTPConnection("127.0.0.1", port)
        try:
            asking.sock = self._executor.within(f"node/{host}", lambda: _connect(port))
            asking.request("GET", path)
            answer = asking.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            asking.close()
        return text if answer.status == http.HTTPStatus.OK else None

    def _late(self, host: str) -> str:
        return f"{PROGRAM} on {host} is not done after {PATIENCE:.0f} s: {self._said(host)}"

    def _said(self, host: str) -> str:
        """The last lines of its log."""
        lines = self._logs[host].path.read_text(errors="replace").splitlines()
        return "\n".join(line[:_LONGEST] for line in lines[-2:])


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), _ANSWER)
