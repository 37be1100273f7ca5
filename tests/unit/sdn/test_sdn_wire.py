"""Rules as OpenFlow messages, read back by os-ken's own parser."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from os_ken.ofproto import ofproto_parser, ofproto_v1_5
from os_ken.ofproto.ofproto_protocol import ProtocolDesc

from testbed.sdn import rules, wire
from testbed.sdn.rules import Action, FlowKey, Group, GroupKey, Key, Value

PORTS = {"l1-eth1": 1, "l1-eth2": 2}
MAC = "02:00:00:00:00:01"
RULES: dict[Key, Value] = {
    FlowKey(rules.SOURCE, 10, port="l1-eth1"): Action("tell", rules.DESTINATION),
    FlowKey(rules.SOURCE, 20, port="l1-eth1", source=MAC): Action("goto", rules.DESTINATION),
    FlowKey(rules.DESTINATION, 10, destination=MAC): Action("output", "l1-eth1"),
    FlowKey(rules.DESTINATION, 0): Action("goto", rules.FLOOD),
    FlowKey(rules.FLOOD, 10, port="l1-eth2"): Action("group", rules.FLOOD_GROUP),
}


def switch() -> Any:
    """As much of os-ken's datapath as its messages ask for."""
    made = ProtocolDesc(ofproto_v1_5.OFP_VERSION)
    made.id = 7
    return made


def sent(key: Key, value: Value | None) -> Any:
    """A message, as the switch's end reads it."""
    message = wire.message(switch(), PORTS, key, value)
    message.set_xid(1)
    message.serialize()
    version, kind, length, xid = ofproto_parser.header(message.buf)
    return ofproto_parser.msg(switch(), version, kind, length, xid, bytes(message.buf))


@pytest.mark.parametrize(("key", "value"), RULES.items(), ids=lambda item: str(item[0]))
def test_a_flow_is_known_again_by_what_a_switch_reports(key: FlowKey, value: Value) -> None:
    message = sent(key, value)
    found = wire.key_of(message, {number: name for name, number in PORTS.items()})
    assert found == (key, rules.digest(value))
    assert message.command == ofproto_v1_5.OFPFC_ADD
    assert message.buffer_id == ofproto_v1_5.OFP_NO_BUFFER


def test_different_actions_have_different_digests() -> None:
    values = [Action("goto", 1), Action("goto", 2), Action("group", 1), Action("output", "1")]
    assert len({rules.digest(value) for value in values}) == len(values)


def test_others_flows_are_left_alone() -> None:
    (key, value), *_ = RULES.items()
    message = sent(key, value)
    assert wire.key_of(message, {}) is None  # a port that is not there
    message.cookie = 0
    assert wire.key_of(message, {1: "l1-eth1"}) is None


def test_what_is_told_is_forwarded_too() -> None:
    message = sent(FlowKey(rules.SOURCE, 10, port="l1-eth1"), Action("tell", rules.DESTINATION))
    apply, goto = message.instructions
    (output,) = apply.actions
    assert (output.port, output.max_len) == (ofproto_v1_5.OFPP_CONTROLLER, wire.HEADER)
    assert goto.table_id == rules.DESTINATION


def test_a_flow_is_deleted_strictly() -> None:
    key = FlowKey(rules.DESTINATION, 10, destination=MAC)
    message = sent(key, None)
    assert message.command == ofproto_v1_5.OFPFC_DELETE_STRICT
    assert (message.table_id, message.priority) == (rules.DESTINATION, 10)
    assert dict(message.match.items()) == {"eth_dst": MAC}


def test_a_group_that_selects_says_by_which_hash() -> None:
    """os-ken reads a bucket's properties past its end (4.2.2), so this looks at the bytes."""
    message = wire.message(switch(), PORTS, GroupKey(3), Group("select", tuple(PORTS)))
    message.set_xid(1)
    message.serialize()
    data = bytes(message.buf)
    command, kind, number, buckets = struct.unpack_from("!HBxIH", data, 8)
    assert (command, kind, number) == (wire.ADD_OR_MODIFY, ofproto_v1_5.OFPGT_SELECT, 3)
    bucket = struct.Struct("!HHI HHIH6x HHH2x HHI")  # output to a port; its weight; what it watches
    assert buckets == 2 * bucket.size
    for i, port in enumerate(PORTS.values()):
        found = bucket.unpack_from(data, 24 + i * bucket.size)
        weight = (ofproto_v1_5.OFPGBPT_WEIGHT, 8, 1)
        watch = (ofproto_v1_5.OFPGBPT_WATCH_PORT, 8, port)
        assert found[:3] == (bucket.size, 16, i)
        assert found[3:6] == (ofproto_v1_5.OFPAT_OUTPUT, 16, port)
        assert found[7:] == (*weight, *watch)
    kind, length, experimenter, what = struct.unpack_from("!HHII", data, 24 + buckets)
    assert (kind, length, experimenter, what) == (0xFFFF, 40, 0x154D, 1)
    method, parameter = struct.unpack_from("!4x16sQ", data, 24 + buckets + 12)
    assert (method.rstrip(b"\0"), parameter) == (b"dp_hash", 7)  # algorithm 0; the datapath id


def test_a_group_that_floods_watches_no_ports() -> None:
    message = wire.message(switch(), PORTS, GroupKey(rules.FLOOD_GROUP), Group("all", ("l1-eth2",)))
    assert message.type == ofproto_v1_5.OFPGT_ALL
    assert [b.properties for b in message.buckets] == [[]]
    assert message.properties == []


def test_a_port_that_the_switch_lacks_is_an_error() -> None:
    with pytest.raises(KeyError, match="l1-eth9"):
        wire.message(switch(), PORTS, GroupKey(3), Group("select", ("l1-eth9",)))
