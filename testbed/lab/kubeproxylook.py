"""What one real kube-proxy has done: from its log, its metrics, and what it has not read yet.

Nothing of kube-proxy says which version of the API's objects is in the kernel. What there is:

- its log (JSON, ``logging.format``) has a line when a sync has ended, with the time it took;
- its metrics have when a change was last noticed (``…_last_queued_timestamp_seconds``), and when
  rules were last loaded with success (``…_last_timestamp_seconds``);
- the kernel knows whether bytes from the API are on their way to it.

So its rules have what it was told, if it has read everything, and a sync has begun after the last
change and has loaded its rules. A sync takes in all changes when it begins.

Source: ``pkg/proxy/metrics/metrics.go``, ``syncProxyRules`` of ``pkg/proxy/iptables/proxier.go``,
Kubernetes 1.34; proc_net_tcp.rst of the kernel.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from testbed.kubeconfig import PORT

_FAMILY = "IPv4"
_ENDED = "syncproxyrules complete"
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6, "ns": 1e-9}
_ESTABLISHED = "01"


class Sync(NamedTuple):
    """When a sync began and ended, in seconds since 1970."""

    began: float
    ended: float


class Page(NamedTuple):
    """Of the metrics, what tells how far kube-proxy is.

    Attributes:
        queued: When a change was last noticed.
        loaded: When rules were last loaded with success.
        changes: How many changes of Services and of EndpointSlices it has noticed.
    """

    queued: float
    loaded: float
    changes: tuple[float, float]


def page(text: str) -> Page:
    """Reads the metrics, which Prometheus' text format has line by line.

    Args:
        text: The answer to ``GET /metrics``. What it does not have is 0.
    """
    found = dict(re.findall(r"^kubeproxy_sync_proxy_rules_(\S+) (\S+)$", text, re.MULTILINE))

    def value(name: str) -> float:
        return float(found.get(name, 0))

    family = f'{{ip_family="{_FAMILY}"}}'
    return Page(
        value(f"last_queued_timestamp_seconds{family}"),
        value(f"last_timestamp_seconds{family}"),
        (value("service_changes_total"), value("endpoint_changes_total")),
    )


def done(seen: Page, sync: Sync | None) -> bool:
    """Whether the last sync has in it what kube-proxy had noticed."""
    return sync is not None and seen.queued <= sync.began <= seen.loaded


class Log:
    """The end of a kube-proxy's log, read as it grows.

    Attributes:
        path: The file.
        sync: The last sync that has ended.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sync: Sync | None = None
        self._read, self._rest = 0, b""

    def look(self) -> None:
        """Reads what was written since."""
        with self.path.open("rb") as file:
            file.seek(self._read)
            data = self._rest + file.read()
            self._read = file.tell()
        *lines, self._rest = data.split(b"\n")
        self.sync = next((s for line in reversed(lines) if (s := _sync(line))), self.sync)


def _sync(line: bytes) -> Sync | None:
    """The sync that ended with this line; None if none did."""
    if _ENDED.encode() not in line.lower():
        return None
    try:
        said = json.loads(line)
        if said["msg"].lower() != _ENDED or said.get("ipFamily") != _FAMILY:
            return None
        ended = said["ts"] / 1e3
        return Sync(ended - seconds(said["elapsed"]), ended)
    except (ValueError, KeyError, TypeError, AttributeError):  # a line of somebody else
        return None


def seconds(duration: str) -> float:
    """A duration as Go writes it, ``1m2.5s``.

    Raises:
        ValueError: It is none.
    """
    parts = re.findall(r"([\d.]+)(h|ms|m|µs|us|ns|s)", duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise ValueError(f"{duration!r} is no duration")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def unread(process: int) -> bool:
    """Whether bytes from the API are on their way to a process; also if there is no connection.

    Args:
        process: Its number.

    Raises:
        OSError: It has ended.
    """
    rows = [line.split() for line in _table(process)]
    own = _sockets(process)
    ports = {row[1] for row in rows if row[9] in own and _port(row[2]) == PORT}
    queues = [row[4] for row in rows if row[3] == _ESTABLISHED and ports & {row[1], row[2]}]
    return not queues or any(int(part, 16) for queue in queues for part in queue.split(":"))


def _table(process: int) -> Iterable[str]:
    return Path(f"/proc/{process}/net/tcp").read_text().splitlines()[1:]


def _port(address: str) -> int:
    return int(address.partition(":")[2], 16)


def _sockets(process: int) -> set[str]:
    """The inode numbers of a process' sockets."""
    links = (_target(path) for path in Path(f"/proc/{process}/fd").iterdir())
    return {link[8:-1] for link in links if link.startswith("socket:[")}


def _target(path: Path) -> str:
    try:
        return str(path.readlink())
    except FileNotFoundError:  # closed meanwhile
        return ""
