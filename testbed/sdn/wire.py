"""Rules as OpenFlow 1.5 messages, and flows that a switch reports as rules' keys.

Of a group that selects, Open vSwitch is told by which hash, which OpenFlow leaves open. Its own
choice would be a hash that leaves out the ports of UDP, so VXLAN between two nodes would take one
path only; ``dp_hash`` with the algorithm 0 is over addresses, protocol and ports (as is that of
RFC 7348's outer UDP source port, from the inner frame). Fragments after the first have no ports.
The hash has the datapath id as its basis, so that switches one behind the other decide differently.

Sources: OpenFlow 1.5.1; the property is NTR_SELECTION_METHOD of Open vSwitch's
``include/openflow/netronome-ext.h``, its parameter and algorithms are in ``ofproto-dpif.c``.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from testbed.sdn import rules
from testbed.sdn.rules import Action, FlowKey, Group, GroupKey, Key, Value

COOKIE = 0x5D4E << 48
"""The upper 16 bits of our flows' cookies; the lower ones are :func:`testbed.sdn.rules.digest`."""
COOKIE_MASK = 0xFFFF << 48

HEADER = 64
"""Bytes of a frame that the controller gets; it needs the addresses."""

ADD_OR_MODIFY = 0x8000
"""OFPGC15_ADD_OR_MOD of Open vSwitch: sets a group whether it is there or not."""

_NETRONOME, _SELECTION_METHOD = 0x0000154D, 1
_DP_HASH = struct.unpack("!4I", b"dp_hash".ljust(16, b"\0"))
_L4 = 0

Message = Any
"""A message of os-ken's; its classes are made when it is imported, and have no types."""


def message(switch: Any, ports: Mapping[str, int], key: Key, value: Value | None) -> Message:
    """The message that sets or deletes a rule.

    Args:
        switch: os-ken's datapath.
        ports: Names of its ports → their numbers.
        key: What is set.
        value: To what; None deletes it.

    Raises:
        KeyError: The rule names a port that the switch does not have.
    """
    if isinstance(key, GroupKey):
        return _group(switch, ports, key, value)
    return _flow(switch, ports, key, value)


def _flow(switch: Any, ports: Mapping[str, int], key: FlowKey, value: Value | None) -> Message:
    protocol, parser = switch.ofproto, switch.ofproto_parser
    fields = {
        "in_port": None if key.port is None else ports[key.port],
        "eth_src": key.source,
        "eth_dst": key.destination,
    }
    common = {
        "table_id": key.table,
        "priority": key.priority,
        "match": parser.OFPMatch(**{k: v for k, v in fields.items() if v is not None}),
        "out_port": protocol.OFPP_ANY,
        "out_group": protocol.OFPG_ANY,
        "buffer_id": protocol.OFP_NO_BUFFER,
    }
    if not isinstance(value, Action):
        return parser.OFPFlowMod(switch, command=protocol.OFPFC_DELETE_STRICT, **common)
    return parser.OFPFlowMod(
        switch,
        cookie=COOKIE | rules.digest(value),
        command=protocol.OFPFC_ADD,
        instructions=_instructions(switch, ports, value),
        **common,
    )


def _instructions(switch: Any, ports: Mapping[str, int], action: Action) -> list[Message]:
    protocol, parser = switch.ofproto, switch.ofproto_parser
    if action.kind == "goto":
        return [parser.OFPInstructionGotoTable(action.target)]
    if action.kind == "group":
        actions = [parser.OFPActionGroup(action.target)]
    elif action.kind == "output":
        actions = [parser.OFPActionOutput(ports[str(action.target)])]
    else:
        actions = [parser.OFPActionOutput(protocol.OFPP_CONTROLLER, HEADER)]
    found = [parser.OFPInstructionActions(protocol.OFPIT_APPLY_ACTIONS, actions)]
    if action.kind == "tell":
        found.append(parser.OFPInstructionGotoTable(action.target))
    return found


def _group(switch: Any, ports: Mapping[str, int], key: GroupKey, value: Value | None) -> Message:
    protocol, parser = switch.ofproto, switch.ofproto_parser
    if not isinstance(value, Group):
        return parser.OFPGroupMod(switch, command=protocol.OFPGC_DELETE, group_id=key.number)
    select = value.kind == "select"
    return parser.OFPGroupMod(
        switch,
        command=ADD_OR_MODIFY,
        type_=protocol.OFPGT_SELECT if select else protocol.OFPGT_ALL,
        group_id=key.number,
        buckets=[_bucket(switch, i, ports[name], select) for i, name in enumerate(value.ports)],
        properties=[_selection(switch)] if select else [],
    )


def _bucket(switch: Any, number: int, port: int, select: bool) -> Message:
    """A bucket; one of those to select from counts only while its port is up."""
    protocol, parser = switch.ofproto, switch.ofproto_parser
    properties = []
    if select:
        weight = parser.OFPGroupBucketPropWeight(type_=protocol.OFPGBPT_WEIGHT, weight=1)
        watch = parser.OFPGroupBucketPropWatch(type_=protocol.OFPGBPT_WATCH_PORT, watch=port)
        properties = [weight, watch]
    return parser.OFPBucket(number, [parser.OFPActionOutput(port)], properties)


def _selection(switch: Any) -> Message:
    return switch.ofproto_parser.OFPGroupPropExperimenter(
        type_=switch.ofproto.OFPGPT_EXPERIMENTER,
        experimenter=_NETRONOME,
        exp_type=_SELECTION_METHOD,
        data=[0, *_DP_HASH, _L4, switch.id & 0xFFFFFFFF],
    )


def key_of(flow: Any, ports: Mapping[int, str]) -> tuple[FlowKey, int] | None:
    """The key of a flow that a switch reports, and the digest of what it does.

    Args:
        flow: os-ken's ``OFPFlowDesc``.
        ports: Numbers of the switch's ports → their names.

    Returns:
        None for a flow that is not the controller's, or names a port that the switch lacks.
    """
    match = dict(flow.match.items())
    port = match.pop("in_port", None)
    source, destination = match.pop("eth_src", None), match.pop("eth_dst", None)
    if match or flow.cookie & COOKIE_MASK != COOKIE or (port is not None and port not in ports):
        return None
    name = None if port is None else ports[port]
    key = FlowKey(flow.table_id, flow.priority, name, source, destination)
    return key, flow.cookie & ~COOKIE_MASK
