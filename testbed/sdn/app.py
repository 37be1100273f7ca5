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
from testbed.sdn.rules import Key, Value

cfg.CONF.register_opts([cfg.StrOpt("fabric", help="file with testbed.sdn.config's form")])

PATIENCE = 5.0
"""Seconds after which the controller goes on without switches that did not connect; a switch tries
every second."""

_log = logging.getLogger("testbed.sdn")


_Handler = TypeVar("_Handler", bound=Callable[..., None])


def _on(event: Any, *states: str) -> Callable[[_Handler], _Handler]:
    """os-ken's ``set_ev_cls``, with types: has a method called on an event of a connection."""
    return cast(Callable[[_Handler], _Handler], set_ev_cls(event, list(states)))


class Switch:
    """A connected switch.

    Attributes:
        name: Its name.
        datapath: os-ken's.
        barrier: Transaction id of the barrier that was sent last.
        holds: The flows that it reported when it connected.
    """

    def __init__(self, name: str, datapath: Any) -> None:
        self.name, self.datapath = name, datapath
        self.barrier: int | None = None
        self.holds: dict[Key, int] = {}

    @property
    def names(self) -> dict[int, str]:
        """Numbers of its ports → their names."""
        return {no: port.name.decode() for no, port in dict(self.datapath.ports).items()}

    @property
    def up(self) -> set[Port]:
        """Its ports that are up."""
        ports = dict(self.datapath.ports).values()
        return {Port(self.name, p.name.decode()) for p in ports if self.is_up(p)}

    def is_up(self, port: Any) -> bool:
        """Whether a port, as the switch describes it, is switched on and has a carrier."""
        protocol = self.datapath.ofproto
        down = port.config & protocol.OFPPC_PORT_DOWN or port.state & protocol.OFPPS_LINK_DOWN
        return not down

    def send(self, changes: list[tuple[Key, Value | None]]) -> None:
        """Sends changes and a barrier behind them, in one write."""
        numbers = {name: number for number, name in self.names.items()}
        messages = []
        for key, value in changes:
            try:
                messages.append(wire.message(self.datapath, numbers, key, value))
            except KeyError as error:  # connect() is called again when it appears
                _log.warning("%s has no port %s", self.name, error)
        messages.append(self.datapath.ofproto_parser.OFPBarrierRequest(self.datapath))
        data = bytearray()
        for message in messages:
            self.barrier = self.datapath.set_xid(message)
            message.serialize()
            data += message.buf
        self.datapath.send(data)

    def ask(self) -> None:
        """Asks for the flows that it holds; :meth:`Controller.flows` gets the answer."""
        protocol = self.datapath.ofproto
        self.holds = {}
        request = self.datapath.ofproto_parser.OFPFlowDescStatsRequest(
            self.datapath,
            table_id=protocol.OFPTT_ALL,
            cookie=wire.COOKIE,
            cookie_mask=wire.COOKIE_MASK,
        )
        self.datapath.send_msg(request)

    def count(self) -> int:
        """Asks what its ports have counted; the transaction id of the question."""
        datapath = self.datapath
        request = datapath.ofproto_parser.OFPPortStatsRequest(
            datapath, flags=0, port_no=datapath.ofproto.OFPP_ANY
        )
        xid = int(datapath.set_xid(request))
        datapath.send_msg(request)
        return xid


class Controller(OSKenApp):  # type: ignore[misc]
    """The application; os-ken makes the one there is.

    Attributes:
        core: What decides.
        switches: The connected ones, by name; some may not have told yet what they hold.
        errors: How many messages switches have refused.
        changed: Is notified after each event; its lock is the one lock.
        counted: The ports' counters, by the transaction id of the question; whoever asked takes
            them out.
    """

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
