"""The control socket's other side: the verbs that commands can ask of a running lab.

A verb is a function of the lab and its arguments that returns JSON values and descriptors. Adding
one is adding it to :data:`VERBS`. Each connection has a thread of its own.
"""

from __future__ import annotations

import os
import socket
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from testbed import objects
from testbed.errors import LabError, TestbedError
from testbed.kernel.join import OWN_KINDS
from testbed.lab import directory, protocol
from testbed.lab.lab import Lab
from testbed.objects import Object, Source

Answer = tuple[Any, list[int]]


def _info(lab: Lab) -> Answer:
    spec = lab.state.spec
    return {
        "name": lab.name,
        "topology": spec.topology.name,
        "cni": spec.cni,
        "proxy": spec.proxy,
        "nodes": len(spec.cluster.nodes),
        "pods": len(spec.cluster.pods),
        "fabric": spec.topology.to_dict(),
        "addresses": {f"{h.role}/{h.name}": h.address for h in spec.topology.hosts},
        "mtus": {
            "underlay": min(n.mtu for n in spec.cluster.nodes),
            "overhead": spec.mode.overhead,
        },
    }, []


def _objects(lab: Lab, kind: str) -> Answer:
    return lab.ledger.current(kind), []


def _apply(lab: Lab, manifests: list[list[Any]]) -> Answer:
    return lab.apply([_object(*item) for item in manifests]), []


def _object(manifest: dict[str, Any], file: str, document: int | None, line: int | None) -> Object:
    found: Any = objects.from_manifest(manifest, file)
    placed: Object = replace(found, source=Source(file, document, line))
    return placed


def _delete(lab: Lab, keys: list[list[str]]) -> Answer:
    return lab.delete([(kind, namespace, name) for kind, namespace, name in keys]), []


def _enter(lab: Lab, target: str, container: str | None = None) -> Answer:
    variables, found = lab.entries.enter(target, container)
    return variables, [found[kind] for kind in OWN_KINDS]


def _netns(lab: Lab, target: str) -> Answer:
    return None, [lab.entries.netns(target)]


def _processes(lab: Lab) -> Answer:
    return lab.processes(), []


def _logs(lab: Lab, namespace: str, pod: str, container: str | None = None) -> Answer:
    return lab.log_of((namespace, pod), container), []


def _fail(lab: Lab, kind: str, target: str) -> Answer:
    lab.faults.fail(kind, target)
    return None, []


def _heal(lab: Lab, kind: str, target: str) -> Answer:
    return lab.faults.heal(kind, target), []


def _faults(lab: Lab) -> Answer:
    return lab.faults.open, []


def _settle(lab: Lab, seconds: float) -> Answer:
    return lab.settle(seconds), []


def _ports(lab: Lab) -> Answer:
    return lab.ports(), []


def _programmed(lab: Lab) -> Answer:
    return lab.programmed, []


def _outside(lab: Lab, where: int, descriptors: list[int]) -> Answer:
    return lab.api.open_outside(where, descriptors), []


TAKERS = {"outside"}
"""Verbs that are given the descriptors that came with the request, and close them."""


VERBS: Mapping[str, Callable[..., Answer]] = {
    "info": _info,
    "objects": _objects,
    "apply": _apply,
    "delete": _delete,
    "enter": _enter,
    "netns": _netns,
    "processes": _processes,
    "logs": _logs,
    "fail": _fail,
    "heal": _heal,
    "faults": _faults,
    "settle": _settle,
    "ports": _ports,
    "programmed": _programmed,
    "outside": _outside,
}


@dataclass
class Server:
    """Answers requests to a lab.

    Attributes:
        lab: The lab.
        listener: The claimed socket, listening.
        started: Set once the lab is built; requests wait for it.
    """

    lab: Lab
    listener: socket.socket
    started: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Accepts connections in a thread of its own."""
        threading.Thread(target=self._accept, name="control", daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(EOFError, OSError):
            if not directory.trusted(connection):
                return
            while True:
                request, descriptors = protocol.receive(connection)
                if request.get("verb") in TAKERS:
                    request["descriptors"] = descriptors
                else:
                    for descriptor in descriptors:
                        os.close(descriptor)
                self.started.wait()
                self._answer(connection, request)

    def _answer(self, connection: socket.socket, request: dict[str, Any]) -> None:
        try:
            result, descriptors = VERBS[request.pop("verb")](self.lab, **request)
            protocol.send(connection, {"result": result}, descriptors)
        except TestbedError as error:
            protocol.send(connection, {"error": to_json(error)})
        except Exception as error:
            traceback.print_exc()
            protocol.send(connection, {"error": to_json(LabError(f"internal error: {error!r}"))})


def to_json(error: TestbedError) -> dict[str, Any]:
    """An error as it travels: the text with its place, and the exit code."""
    return {"exit_code": error.exit_code, "message": str(error)}
