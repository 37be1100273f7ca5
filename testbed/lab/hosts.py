"""The fabric's hosts as the plan sees them: their namespaces, private files and daemons.

The plan's namespace ``fabric``, where the switches are, counts as a host whose folders are the
sandbox's own.
"""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from testbed.errors import LabError
from testbed.kernel import inotify, join
from testbed.kernel.sandbox import STATE
from testbed.kubelet import programs
from testbed.lab.fabric import Fabric, PrivateFolders
from testbed.plan.model import FABRIC, Daemon, NamespacePlan, Plan

_HOSTS = STATE / "hosts"
_FRR = "frr"
_PATIENCE = 60.0  # seconds for a daemon to open its socket; on an emulated CPU some take 20


def _root(host: str) -> Path:
    """Where a host's private folders really are."""
    return Path("/") if host == FABRIC else _HOSTS / host


def host_of(namespace: str) -> str:
    """The host of a namespace of the plan: ``node/n1`` is of ``n1``, ``fabric`` of ``fabric``."""
    return namespace.rpartition("/")[2]


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
        if name.startswith("pod/") or not _own_folders(part):
            continue
        host = host_of(name)
        folders = [(folder, _make(host, folder)) for folder in _own_folders(part)]
        _write(host, part)
        if host != FABRIC:
            private[host] = folders
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
            host_of(name): part.daemons for name, part in plan.namespaces.items() if part.daemons
        }
        for host, daemons in wanted.items():
            for daemon in daemons:
                self._finish(host, daemon, daemon.prepare)
        for rank in range(max(map(len, wanted.values()), default=0)):
            self._start_rank({h: d[rank] for h, d in wanted.items() if rank < len(d)})

    def kill(self, host: str, daemon: Daemon) -> None:
        """Ends a daemon as a crash would (SIGKILL), and returns when it has ended."""
        process = self.processes[host, daemon.name]
        process.kill()
        process.wait()

    def revive(self, host: str, daemon: Daemon) -> None:
        """Starts a daemon again as it was, if it has ended, and returns when it serves.

        Raises:
            LabError: It does not serve in time.
        """
        if self.processes[host, daemon.name].poll() is not None:
            if daemon.ready:  # a socket outlives its daemon
                (_root(host) / daemon.ready.lstrip("/")).unlink(missing_ok=True)
            self._start_rank({host: daemon})

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
        for host, daemon in daemons.items():
            self._finish(host, daemon, daemon.configure)

    def _finish(self, host: str, daemon: Daemon, command: Sequence[str]) -> None:
        """Runs a command that belongs to a daemon, to its end."""
        if not command:
            return
        done = join.run(self._namespaces(host), command, _PATIENCE, env=_environment())
        if done.returncode:
            what = f"{command[0]}, which sets up {daemon.name} on {host}"
            raise LabError(f"{what}: {done.stderr.decode(errors='replace').strip()}")

    def _start(self, host: str, daemon: Daemon) -> None:
        file = self.log(host, daemon.name)
        file.parent.mkdir(parents=True, exist_ok=True)  # a host without files has no folder yet
        with file.open("ab") as log:
            self.processes[host, daemon.name] = join.popen(
                self._namespaces(host),
                daemon.argv,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _namespaces(self, host: str) -> join.Descriptors:
        if host == FABRIC:
            return {}
        running = self._fabric.hosts[host]
        return {"net": running.net, "mount": running.mount}

    @staticmethod
    def log(host: str, name: str) -> Path:
        """The file with a daemon's output."""
        return (STATE if host == FABRIC else _root(host)) / f"{name}.log"


def _environment() -> dict[str, str]:
    """This process's own, with ``python3`` being the Python that has this project."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{programs.PATH}"}
