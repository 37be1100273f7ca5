"""The os-ken application: events of switches into the core, the core's steps to switches.

os-ken reads each switch's connection in a thread and calls the handlers here in one of their own,
in the order of the events. All of them hold one lock, and so do the questions of
:mod:`testbed.sdn.control`. After each event the core is asked for its next step.

A switch that connects is asked for its flows first, for it may have some: it keeps them when it
loses its controller, and they are what a controller that was started anew learns from. So starting
one anew changes nothing in a fabric in which nothing has changed, and no frame is lost.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from os_ken import cfg
from os_ken.base.app_manager import OSKenApp
from os_ken.controller import ofp_event
from os_ken.controller.handler import DEAD_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.ofproto import ofproto_v1_5

from testbed.sdn import config, control, wire
from testbed.sdn.core import Core
from testbed.sdn.graph import Port
from testbed.sdn.switch import Switch

cfg.CONF.register_opts([cfg.StrOpt("fabric", help="file with testbed.sdn.config's form")])

PATIENCE = 5.0
"""Seconds after which the controller goes on without switches that did not connect; a switch tries
every second."""

_log = logging.getLogger("testbed.sdn")


_Handler = TypeVar("_Handler", bound=Callable[..., None])


def _on(event: Any, *states: str) -> Callable[[_Handler], _Handler]:
    """os-ken's ``set_ev_cls``, with types: has a method called on an event of a connection."""
    return cast(Callable[[_Handler], _Handler], set_ev_cls(event, list(states)))


class Controller(OSKenApp):  # type: ignore[misc]
    """The application, a :class:`testbed.sdn.control.Controller`; os-ken makes the one there is."""

    OFP_VERSIONS = (ofproto_v1_5.OFP_VERSION,)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        settings = json.loads(Path(self.CONF.fabric).read_text())
        self.core = Core(config.fabric_of(settings))
        self.switches: dict[str, Switch] = {}
        self.errors = 0
        self.changed = threading.Condition()
        self.counted: dict[int, list[Any]] = {}
        self._parts: dict[int, list[Any]] = {}
        self._ready: Path | None = Path(settings["ready"])
        control.serve(settings["control"], control.Desk(self))
        timer = threading.Timer(PATIENCE, self._wait_no_longer)
        timer.daemon = True
        timer.start()

    def _wait_no_longer(self) -> None:
        with self.changed:
            self.core.wait_no_longer()
            self._advance()

    def _advance(self) -> None:
        """Sends the next step, and says so where somebody waits. The lock is held."""
        for name, changes in self.core.step().items():
            self.switches[name].send(changes)
        if self.core.settled and self._ready is not None:
            self._ready.touch()
            self._ready = None
        self.changed.notify_all()

    def _switch(self, datapath: Any) -> Switch | None:
        """The switch of a connection; None when it is not (or no longer) one of the fabric."""
        name = self.core.fabric.names.get(datapath.id, "")
        switch = self.switches.get(name)
        return switch if switch and switch.datapath is datapath else None

    @_on(ofp_event.EventOFPStateChange, MAIN_DISPATCHER, DEAD_DISPATCHER)
    def state(self, event: Any) -> None:
        """A switch connected, or its connection ended."""
        datapath = event.datapath
        with self.changed:
            name = self.core.fabric.names.get(datapath.id)
            if name is None:
                return
            if event.state == MAIN_DISPATCHER:
                self.core.disconnect(name)
                self.switches[name] = Switch(name, datapath)
                self.switches[name].ask()
            elif self._switch(datapath):
                del self.switches[name]
                self.core.disconnect(name)
                self._advance()

    @_on(ofp_event.EventOFPFlowDescStatsReply, MAIN_DISPATCHER)
    def flows(self, event: Any) -> None:
        """A switch said what flows it holds."""
        message = event.msg
        with self.changed:
            switch = self._switch(message.datapath)
            if switch is None:
                return
            switch.holds |= dict(
                filter(None, (wire.key_of(flow, switch.names) for flow in message.body))
            )
            if not message.flags & message.datapath.ofproto.OFPMPF_REPLY_MORE:
                self.core.connect(switch.name, switch.up, switch.holds)
                self._advance()

    @_on(ofp_event.EventOFPPortStatus, MAIN_DISPATCHER)
    def port(self, event: Any) -> None:
        """A port of a switch changed, came or went."""
        message = event.msg
        protocol = message.datapath.ofproto
        with self.changed:
            switch = self._switch(message.datapath)
            if switch is None or switch.name not in self.core.connected:
                return
            if message.reason == protocol.OFPPR_ADD:  # what names it could not be sent before
                switch.ask()
                return
            up = message.reason != protocol.OFPPR_DELETE and switch.is_up(message.desc)
            self.core.set_port(Port(switch.name, message.desc.name.decode()), up)
            self._advance()

    @_on(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def frame(self, event: Any) -> None:
        """A frame came from a source that its switch does not know."""
        message = event.msg
        source = message.data[6:12]
        with self.changed:
            switch = self._switch(message.datapath)
            if switch is None or switch.name not in self.core.connected:
                return
            name = switch.names.get(message.match["in_port"])
            if name is not None and not source[0] & 1:  # that bit is a group's
                self.core.learn(Port(switch.name, name), source.hex(":"))
                self._advance()

    @_on(ofp_event.EventOFPBarrierReply, MAIN_DISPATCHER)
    def barrier(self, event: Any) -> None:
        """A switch has carried out what it was sent."""
        message = event.msg
        with self.changed:
            switch = self._switch(message.datapath)
            if switch is not None and message.xid == switch.barrier:
                self.core.confirm(switch.name)
                self._advance()

    @_on(ofp_event.EventOFPPortStatsReply, MAIN_DISPATCHER)
    def counters(self, event: Any) -> None:
        """A switch answered what its ports have counted."""
        message = event.msg
        with self.changed:
            parts = self._parts.setdefault(message.xid, [])
            parts += message.body
            if not message.flags & message.datapath.ofproto.OFPMPF_REPLY_MORE:
                self.counted[message.xid] = self._parts.pop(message.xid)
                self.changed.notify_all()

    @_on(ofp_event.EventOFPErrorMsg, MAIN_DISPATCHER)
    def error(self, event: Any) -> None:
        """A switch refused a message."""
        with self.changed:
            self.errors += 1
        message = event.msg
        where, what = message.datapath.id, (message.type, message.code)
        _log.error("the switch with datapath id %s refuses: type %s, code %s", where, *what)
