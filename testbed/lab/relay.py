"""Carries out changes of a node's relay (:mod:`testbed.relay`): its process, and the sets.

A place is known to the relay before it is in a set, and leaves the set first: what is sent to the
relay always finds something. A relay that has died is started again by the next change, and told
everything.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from testbed.errors import LabError
from testbed.kernel import ipvsmessages as messages
from testbed.kernel.ipvsservers import demand
from testbed.kernel.netns import NetNs
from testbed.proxy.ipvs import SetEntry
from testbed.proxy.relay import NODE_PORTS, PORTALS, PORTS, SETS, Backend, Place, Relay

_PATIENCE = 60.0  # seconds for it to start and to learn
_lock = threading.Lock()
_relays: WeakKeyDictionary[NetNs, _Process] = WeakKeyDictionary()


def carry_out(netns: NetNs, step: Relay) -> None:
    """Does a step; the thread must be in the namespace, and so is a process that it starts.

    Raises:
        LabError: The relay does not start or answer, or the kernel refuses something.
    """
    with _lock:
        process = _relays.setdefault(netns, _Process(netns.name, step.address))
    _send(netns, [messages.make_set(name, kind) for name, kind in SETS.items()])
    process.learn(step.backends, step.places)
    _send(netns, [messages.entry(messages.ADD, _entry(one)) for one in step.places])
    _send(netns, [messages.entry(messages.DELETE, _entry(one)) for one in step.gone_places])
    process.unlearn(step.gone, step.gone_places)


def _send(netns: NetNs, batch: list[bytes]) -> None:
    if batch:
        with messages.connect(messages.NETFILTER) as link:
            demand(netns.name, "ipset", messages.send(link, batch))


def _entry(place: Place) -> SetEntry:
    if place.address:
        return SetEntry(PORTALS, place.address, place.port, place.protocol)
    return SetEntry(NODE_PORTS[place.protocol], port=place.port)


class _Process:
    """A node's relay, and what it was told."""

    def __init__(self, where: str, address: str) -> None:
        self._where, self._address = where, address
        self._backends: dict[str, Backend] = {}
        self._places: dict[Place, str] = {}
        self._link: socket.socket | None = None

    def learn(self, backends: Any, places: Any) -> None:
        """Tells it of backends and places that are there from now on."""
        self._backends |= backends
        self._places |= places
        self._tell(_change(backends, places))

    def unlearn(self, backends: Iterable[str], places: Iterable[Place]) -> None:
        """Tells it what is there no longer."""
        gone, gone_places = [*backends], [*places]
        for name in gone:
            self._backends.pop(name, None)
        for place in gone_places:
            self._places.pop(place, None)
        if gone or gone_places:
            self._tell(_change({}, {}, gone, gone_places))

    def _tell(self, change: dict[str, Any]) -> None:
        """Tells it a change; all there is if it must be started for that."""
        if self._link is not None:
            try:
                self._say(self._link, change)
            except OSError:
                self._link.close()
                self._link = None
            else:
                return
        link = self._start()
        try:
            self._say(link, _change(self._backends, self._places))
        except OSError as error:
            link.close()
            raise LabError(f"{self._where}: the relay does not start: {error}") from None
        self._link = link

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.settimeout(_PATIENCE)
        argv = [sys.executable, "-m", "testbed.relay", str(theirs.fileno()), self._address]
        with theirs:
            process = subprocess.Popen(
                [*argv, *map(str, PORTS)],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        threading.Thread(target=process.wait, name="relay", daemon=True).start()
        return ours

    def _say(self, link: socket.socket, change: dict[str, Any]) -> None:
        link.sendall(json.dumps(change).encode() + b"\n")
        if not link.recv(1):
            raise ConnectionError("it has ended; see daemon.log")


def _change(
    backends: Any,
    places: Any,
    gone: Iterable[str] = (),
    gone_places: Iterable[Place] = (),
) -> dict[str, Any]:
    """What :meth:`testbed.relay.table.Table.update` takes."""
    return {
        "backends": {name: (one.endpoints, one.affinity) for name, one in backends.items()},
        "places": [(*place, name) for place, name in places.items()],
        "gone": [*gone],
        "gone_places": [*gone_places],
    }
