"""The controller's control socket: a JSON object a line, each answered by one.

==========================================  ====================================================
``{"verb": "state"}``                       ``settled``: every switch is connected and has confirmed
                                            all that is wanted; ``switches`` that are connected and
                                            ``missing`` ones; ports that are ``down``; live
                                            ``links`` as pairs of ports;
                                            ``hosts``: MAC address to switch, port and what is
                                            there; ``errors``: messages that switches refused
``{"verb": "settle", "seconds": 5}``        the same, as soon as it is settled or it is late; with
                                            ``"whole": true`` every port must be up, too
``{"verb": "ports"}``                       ``ports``: a list of objects with ``switch``, ``port``,
                                            ``peer``, ``up`` and what the switch counts just now
==========================================  ====================================================

An error is answered by ``{"error": "…"}``. The socket's mode is 0600.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from testbed.sdn.core import Core
from testbed.sdn.graph import Port
from testbed.sdn.switch import Switch

PATIENCE = 5.0
"""Seconds that a switch has to answer."""

COUNTERS = tuple(
    f"{way}_{what}" for what in ("packets", "bytes", "dropped", "errors") for way in ("rx", "tx")
)


class Controller(Protocol):
    """What is asked about.

    Attributes:
        core: What decides.
        switches: The connected ones, by name; some may not have told yet what they hold.
        errors: How many messages switches have refused.
        changed: Is notified after each event; its lock is the one lock.
        counted: The ports' counters, by the transaction id of the question; whoever asked takes
            them out.
    """

    core: Core
    switches: dict[str, Switch]
    errors: int
    changed: threading.Condition
    counted: dict[int, list[Any]]


class Desk:
    """Answers questions about a controller.

    Args:
        controller: The application.
    """

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a question; see the module."""
        verbs: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "state": self._state,
            "settle": self._settle,
            "ports": self._ports,
        }
        return verbs[question["verb"]](question)

    def _state(self, _: Mapping[str, Any]) -> dict[str, Any]:
        controller, core = self._controller, self._controller.core
        with controller.changed:
            fabric = core.fabric
            links = {(a, b) for s in fabric.dpids for a, b in fabric.neighbours(s, core.up)}
            return {
                "settled": core.settled,
                "switches": sorted(core.connected),
                "missing": sorted(set(fabric.dpids) - core.connected),
                "down": self._down(),
                "links": sorted([a.name, b.name] for a, b in links if a < b),
                "hosts": {
                    mac: {"switch": port.switch, "port": port.name, "peer": fabric.peers[port]}
                    for mac, port in sorted(core.hosts.items())
                },
                "errors": controller.errors,
            }

    def _settle(self, question: Mapping[str, Any]) -> dict[str, Any]:
        controller = self._controller
        with controller.changed:
            settled = self._whole if question.get("whole") else lambda: controller.core.settled
            controller.changed.wait_for(settled, question["seconds"])
        return self._state(question)

    def _whole(self) -> bool:
        return self._controller.core.settled and not self._down()

    def _down(self) -> list[str]:
        core = self._controller.core
        return sorted(port.name for port in core.fabric.peers.keys() - core.up)

    def _ports(self, _: Mapping[str, Any]) -> dict[str, Any]:
        controller = self._controller
        with controller.changed:
            asked = {switch.count(): switch for switch in controller.switches.values()}
            controller.changed.wait_for(lambda: asked.keys() <= controller.counted.keys(), PATIENCE)
            answers = [(s, controller.counted.pop(xid, None)) for xid, s in asked.items()]
            silent = [switch.name for switch, answer in answers if answer is None]
            if silent:
                raise TimeoutError(f"no answer from {', '.join(silent)}")
            found = []
            for switch, answer in answers:
                names = switch.names
                ports = ((Port(switch.name, names.get(c.port_no, "")), c) for c in answer or ())
                found += [self._port(*p) for p in ports if p[0] in controller.core.fabric.peers]
        return {"ports": found}

    def _port(self, port: Port, counted: Any) -> dict[str, Any]:
        core = self._controller.core
        peer = core.fabric.peers[port]
        return {
            "switch": port.switch,
            "port": port.name,
            "peer": peer.switch if isinstance(peer, Port) else peer,
            "up": port in core.up,
            **{name: getattr(counted, name) for name in COUNTERS},
        }


def serve(path: str, desk: Desk) -> None:
    """Listens on a UNIX socket, and answers in threads that end with the process."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                try:
                    said = desk.answer(json.loads(line))
                except (KeyError, TypeError, ValueError, TimeoutError) as error:
                    said = {"error": f"{type(error).__name__}: {error}"}
                self.wfile.write(json.dumps(said).encode() + b"\n")

    with suppress(FileNotFoundError):
        Path(path).unlink()
    server = socketserver.ThreadingUnixStreamServer(path, Handler)
    server.daemon_threads = True
    Path(path).chmod(0o600)
    threading.Thread(target=server.serve_forever, daemon=True).start()
