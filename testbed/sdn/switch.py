"""A switch that is connected to the controller: what it has, and what it is told and asked."""

from __future__ import annotations

import logging
from typing import Any

from testbed.sdn import wire
from testbed.sdn.graph import Port
from testbed.sdn.rules import Key, Value

_log = logging.getLogger("testbed.sdn")


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
        """Asks for the flows that it holds; the application gets the answer."""
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
