"""A running lab, from outside: what commands and scenarios use.

Light on purpose: ``testbed exec`` and ``get`` import this and little else.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from testbed.errors import InputError, LabError, MissingError, NotSo, TestbedError
from testbed.kernel import join
from testbed.lab import directory, protocol

HOST_KINDS = ("node", "external", "router", "switch")
_ERRORS = {kind.exit_code: kind for kind in (NotSo, InputError, MissingError, LabError)}
_END = 10.0  # seconds for the kernel to take a sandbox down


def error_of(told: dict[str, Any]) -> TestbedError:
    """The error that a lab told of."""
    return _ERRORS.get(told["exit_code"], LabError)(told["message"])


def namespace_of(target: str) -> str:
    """Name in the plan of a target: ``NAMESPACE/POD``, or a host as it is (``node/NAME`` …).

    Raises:
        InputError: It is none of these.
    """
    kind, slash, name = target.partition("/")
    if not slash or not name or "/" in name:
        raise InputError(f"{target!r} is neither NAMESPACE/POD nor node/NAME nor external/NAME")
    return target if kind in HOST_KINDS else f"pod/{target}"


class Lab:
    """A lab that runs.

    Args:
        name: Its name.

    Attributes:
        pid: The supervisor, process 1 of the sandbox.
        events: What a campaign has done to it in this sample (:mod:`testbed.measure.contract`).

    Raises:
        LabError: No lab of that name runs.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._connection = directory.connect(name)
        self.pid = directory.peer(self._connection)[0]
        self.events: Sequence[Any] = ()
        self._info: dict[str, Any] | None = None

    def api_port(self) -> int:
        """The TCP port of 127.0.0.1 that leads to the lab's Kubernetes API, opened at first need.

        The socket is made here, in the caller's network namespace, and is the lab's from then on;
        only the lab's owner and root get through (:mod:`testbed.api.peers`).

        Raises:
            LabError: The lab has ended.
        """
        where = Path("/proc/self/ns/net").stat().st_ino
        port, _ = self._ask("outside", {"where": where})
        if port is None:
            with (
                socket.create_server(("127.0.0.1", 0), backlog=128) as listener,
                Path("/proc/self/net/tcp").open("rb") as table,
            ):
                given = [listener.fileno(), table.fileno()]
                port, _ = self._ask("outside", {"where": where}, given)
        return int(port)

    def ask(self, verb: str, **arguments: Any) -> Any:
        """A verb's result (:data:`testbed.lab.server.VERBS`).

        Raises:
            TestbedError: The lab refuses, or has ended.
        """
        result, descriptors = self._ask(verb, arguments)
        for descriptor in descriptors:
            os.close(descriptor)
        return result

    def _ask(
        self, verb: str, arguments: dict[str, Any], descriptors: Sequence[int] = ()
    ) -> tuple[Any, list[int]]:
        try:
            protocol.send(self._connection, {"verb": verb, **arguments}, descriptors)
            answer, received = protocol.receive(self._connection)
        except (EOFError, OSError):
            raise self._ended() from None
        if "error" in answer:
            raise error_of(answer["error"])
        return answer["result"], received

    def _ended(self) -> LabError:
        return LabError(f"lab {self.name!r} has ended")

    @property
    def info(self) -> dict[str, Any]:
        """Name, topology, modes and addresses of the fabric's hosts; what does not change."""
        if self._info is None:
            self._info = self.ask("info")
        return self._info

    def objects(self, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        """API objects of a kind (its plural), with status."""
        found: list[dict[str, Any]] = self.ask("objects", kind=kind)
        if namespace is None:
            return found
        return [item for item in found if item["metadata"].get("namespace") == namespace]

    def address(self, target: str) -> str:
        """The IPv4 address of a pod, or of a host on the underlay.

        Raises:
            InputError: There is no such target.
        """
        if target.partition("/")[0] in HOST_KINDS:
            addresses: dict[str, str] = self.info["addresses"]
            if target in addresses:
                return addresses[target]
        namespace, _, name = target.partition("/")
        for pod in self.objects("pods", namespace):
            if pod["metadata"]["name"] == name:
                return str(pod["status"]["podIP"])
        raise InputError(f"lab {self.name!r} has no {target}")

    def enter(
        self, target: str, container: str | None = None
    ) -> tuple[join.Descriptors, dict[str, str]]:
        """Descriptors of a target's namespaces, and the environment of a program in it."""
        arguments = {"target": namespace_of(target), "container": container}
        environment, descriptors = self._ask("enter", arguments)
        found = dict(zip(join.OWN_KINDS, descriptors, strict=True))
        for kind, file in (("pid", "pid_for_children"), ("ipc", "ipc")):
            try:
                found[kind] = os.open(f"/proc/{self.pid}/ns/{file}", os.O_RDONLY)
            except OSError:
                raise self._ended() from None
        return {kind: found[kind] for kind in join.KINDS}, environment

    def netns(self, target: str) -> int:
        """A descriptor of a target's network namespace, which the caller closes."""
        _, descriptors = self._ask("netns", {"target": namespace_of(target)})
        return descriptors[0]

    def popen(self, target: str, argv: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """Starts ARGV in a target's namespaces; it dies with the returned process and the lab."""
        namespaces, environment = self.enter(target)
        try:
            return join.popen(namespaces, argv, **{"env": environment, **options})
        finally:
            for descriptor in namespaces.values():
                os.close(descriptor)

    def become(self, target: str, argv: Sequence[str], container: str | None = None) -> NoReturn:
        """Becomes ARGV in a target's namespaces, with this process's own input and output."""
        namespaces, environment = self.enter(target, container)
        terminal = {k: os.environ[k] for k in ("TERM", "LANG") if k in os.environ}
        join.become(namespaces, argv, terminal | environment)

    def apply(self, manifests: Sequence[Mapping[str, Any]]) -> None:
        """Makes or changes objects; returns when every proxy of this project has them.

        Raises:
            InputError: The lab refuses one; nothing was changed.
            LabError: A kernel refuses something.
        """
        self.ask("apply", manifests=[[manifest, "", None, None] for manifest in manifests])

    def delete(self, manifests: Sequence[Mapping[str, Any]]) -> None:
        """Deletes objects, known by their kind, namespace and name.

        Raises:
            InputError: One does not exist; nothing was changed.
        """
        heads = ((one["kind"], one["metadata"]) for one in manifests)
        self.ask("delete", keys=[[k, m.get("namespace", ""), m["name"]] for k, m in heads])

    def kill(self, target: str) -> None:
        """Sends SIGKILL to the processes of all containers of a pod.

        Raises:
            LabError: None of its containers has a process.
        """
        found = self.ask("processes").get(target, {}).values()
        if not found:
            raise LabError(f"no container of {target} has a process in lab {self.name!r}")
        numbers = [str(pid) for pid in found]  # as the sandbox counts, which the target is in
        with self.popen(target, ["kill", "-KILL", *numbers]):
            pass

    def fail(self, kind: str, target: str) -> None:
        """Fails a link, a node or a daemon (:mod:`testbed.plan.targets`) until it is healed.

        Raises:
            InputError: The lab has no such thing.
            MissingError: Its kernel cannot do it.
        """
        self.ask("fail", kind=kind, target=target)

    def heal(self, kind: str, target: str) -> bool:
        """Undoes a failure, and says whether there was one.

        Raises:
            InputError: The lab has no such thing.
        """
        return bool(self.ask("heal", kind=kind, target=target))

    def faults(self) -> list[tuple[str, str]]:
        """Kind and target of all that has failed, in the order of failing."""
        return [(kind, target) for kind, target in self.ask("faults")]

    def settle(self, seconds: float) -> list[str]:
        """Waits until the lab is as it should be, after a repair; what is not when time is over."""
        return [str(problem) for problem in self.ask("settle", seconds=seconds)]

    def programmed(self) -> tuple[float, float, float] | None:
        """When the proxies last began, had worked out what to do, and had it in all kernels.

        In seconds of CLOCK_MONOTONIC; None if the lab has no proxies of this project's, or they had
        nothing to do yet.
        """
        found = self.ask("programmed")
        return None if found is None else (found[0], found[1], found[2])

    def ports(self) -> list[dict[str, Any]]:
        """The counters of both ends of every link (:func:`testbed.lab.ports.ports`)."""
        return list(self.ask("ports"))

    def down(self) -> None:
        """Ends the lab; returns when none of its processes is left.

        Raises:
            LabError: The kernel does not get rid of it.
        """
        end(self.pid, self._connection)

    def close(self) -> None:
        """Closes the connection; the lab goes on."""
        self._connection.close()


def end(pid: int, connection: socket.socket) -> None:
    """Kills a supervisor, and with it its sandbox, and waits for the end of it.

    Args:
        pid: The supervisor.
        connection: An open connection to it, which shows that the number is still its own.

    Raises:
        LabError: It does not end.
    """
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with connection:
        signal.pidfd_send_signal(process, signal.SIGKILL)
        if not select.select([process], [], [], _END)[0]:
            raise LabError(f"the supervisor {pid} does not end")
    os.close(process)
