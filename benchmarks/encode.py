"""How long does it take to write a netlink message? Ours against pyroute2's encoder.

Both write the same requests (the tests compare them attribute by attribute), alternating::

    .venv/bin/python benchmarks/encode.py --messages 2000 --repeats 5
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from pyroute2.iproute.linux import get_arguments_processor
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from testbed.kernel import netlink
from testbed.plan.model import Address, NextHop, Route, Veth

MAC = "0a:58:0a:f4:01:02"
VETH = Veth("veth0123456789a", "eth0", "pod/a/b", MAC, 1450, master="cni0")
ADDRESS = Address("eth0", "10.244.1.2/24")
ROUTE = Route("0.0.0.0/0", (NextHop("10.244.1.1", "eth0"),))
PEER = {"ifname": "eth0", "address": MAC, "mtu": 1450, "net_ns_fd": 33}

Ours = Callable[[], bytes]
Theirs = tuple[str, type, dict[str, Any]]
MESSAGES: dict[str, tuple[Ours, Theirs]] = {
    "veth pair": (
        lambda: netlink.veth(VETH, 1002, 2, 33, 1000),
        (
            "link",
            ifinfmsg,
            {
                "ifname": VETH.name,
                "kind": "veth",
                "index": 1002,
                "mtu": 1450,
                "master": 1000,
                "peer": PEER,
            },
        ),
    ),
    "address": (
        lambda: netlink.address(ADDRESS, 2),
        (
            "addr",
            ifaddrmsg,
            {"index": 2, "address": "10.244.1.2", "prefixlen": 24, "broadcast": "10.244.1.255"},
        ),
    ),
    "route": (
        lambda: netlink.route(ROUTE, [2]),
        ("route", rtmsg, {"dst": "0.0.0.0/0", "gateway": "10.244.1.1", "oif": 2}),
    ),
}


def pyroute2(kind: str, form: Any, arguments: dict[str, Any]) -> bytes:
    """As pyroute2's ``NetlinkRequest`` writes a message, without a socket."""
    given = get_arguments_processor(kind, "add", dict(arguments), {"strict_check": False})
    message = form()
    for field in message.fields:
        message[field[0]] = given.get_value(field[0], default=0, mode="field")
    for key, value in given.items():
        name = form.name2nla(key)
        if message.valid_nla(name) and value is not None:
            message["attrs"].append([name, value])
    message.encode()
    return bytes(message.data)


def microseconds(write: Ours, count: int) -> float:
    """Time for one message."""
    began = time.perf_counter()
    for _ in range(count):
        write()
    return (time.perf_counter() - began) / count * 1e6


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print(f"{'message':12} {'ours [us]':>10} {'pyroute2 [us]':>14} {'ratio':>7}")
    for name, (ours, theirs) in MESSAGES.items():
        pairs = [
            (
                microseconds(ours, options.messages),
                microseconds(partial(pyroute2, *theirs), options.messages),
            )
            for _ in range(options.repeats)
        ]
        mine, other = (statistics.median(values) for values in zip(*pairs, strict=True))
        print(f"{name:12} {mine:10.1f} {other:14.1f} {other / mine:7.1f}")


if __name__ == "__main__":
    main()
