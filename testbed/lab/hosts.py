"""The fabric's hosts as the plan sees them: their namespaces, private files and daemons."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from testbed.errors import LabError
from testbed.lab import inotify, join
from testbed.lab.fabric import Fabric, PrivateFolders
from testbed.lab.sandbox import STATE
from testbed.plan.model import Daemon, NamespacePlan, Plan

_HOSTS = STATE / "hosts"
_FRR = "frr"
_PATIENCE = 20.0  # seconds for a daemon to open its socket


def _root(host: str) -> Path:
    """Where a host's private folders really are."""
    return _HOSTS / host


def _own_folders(part: NamespacePlan) -> list[str]:
    """The folders that must be private to a host, for its files and its daemons' sockets."""
    paths = [file.path for file in part.files]
    paths += [daemon.ready for daemon in part.daemons if daemon.ready]
    return sorted({str(Path(path).parent) for path in paths})


def prepare(plan: Plan) -> dict[str, PrivateFolders]:
    """Makes the private folders of all hosts, and writes the plan's files into them.

    Returns:
        Host name → its folders, for :class:`testbed.lab.fabric.Fabric` to mount.
    """
    private: dict[str, PrivateFolders] = {}
    for name, part in plan.namespaces.items():
        kind, _, host = name.partition("/")
        if kind != "pod" and _own_folders(part):
            private[host] = [(folder, _make(host, folder)) for folder in _own_folders(part)]
            _write(host, part)
    return private


def _make(host: str, folder: str) -> str:
    path = _root(host) / folder.lstrip("/")
    path.mkdir(parents=True, exist_ok=True)
    _give_to_frr(path)
    return str(path)


def _write(host: str, part: NamespacePlan) -> None:
    for file in part.files:
        path = _root(host) / file.path.lstrip("/")
        path.write_text(file.content)
        path.chmod(file.mode)
        _give_to_frr(path)


def _give_to_frr(path: Path) -> None:
    """FRR's daemons give up root for a user of their own, who must read and write here."""
    with suppress(KeyError, PermissionError):  # no such user: FRR is not installed, or not needed
        os.chown(path, pwd.getpwnam(_FRR).pw_uid, grp.getgrnam(_FRR).gr_gid)


class Daemons:
    """The daemons of all hosts.

    Args:
        fabric: The running hosts.
    """

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self.processes: dict[tuple[str, str], subprocess.Popen[bytes]] = {}

    def start(self, plan: Plan) -> None:
        """Starts all daemons: first each host's first, when these serve the second ones, and so on.

        Raises:
            LabError: A daemon does not serve in time; the message has what it printed last.
        """
        wanted = {
            name.partition("/")[2]: part.daemons
            for name, part in plan.namespaces.items()
            if part.daemons
        }
        for rank in range(max(map(len, wanted.values()), default=0)):
            self._start_rank({h: d[rank] for h, d in wanted.items() if rank < len(d)})

    def _start_rank(self, daemons: Mapping[str, Daemon]) -> None:
        for host, daemon in daemons.items():
            self._start(host, daemon)
        sockets = {
            _root(host) / daemon.ready.lstrip("/"): (host, daemon)
            for host, daemon in daemons.items()
            if daemon.ready
        }
        late = inotify.wait_for(sockets, _PATIENCE)
        if late:
            host, daemon = sockets[late[0]]
            said = self.log(host, daemon.name).read_text(errors="replace")[-500:]
            raise LabError(
                f"{daemon.name} on {host} does not serve after {_PATIENCE:.0f} s: {said}"
            )

    def _start(self, host: str, daemon: Daemon) -> None:
        running = self._fabric.hosts[host]
        with self.log(host, daemon.name).open("ab") as log:
            self.processes[host, daemon.name] = join.popen(
                {"net": running.net, "mount": running.mount},
                daemon.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @staticmethod
    def log(host: str, name: str) -> Path:
        """The file with a daemon's output."""
        return _root(host) / f"{name}.log"
