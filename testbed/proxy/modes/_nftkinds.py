"""What keys and values of the table's sets and maps are.

Commands say it (:class:`testbed.proxy.nft.AddElements`) for whoever writes elements without asking
the kernel. :mod:`testbed.proxy.modes._nftbase` and :mod:`testbed.proxy.modes._flatbase` declare
the sets and maps.
"""

from __future__ import annotations

from testbed.proxy.modes._flatchains import ADDRESS, NODE_PORT

_AT = "ipv4_addr . inet_proto . inet_service"
_AT_NODE = "inet_proto . inet_service"
_TO = "ipv4_addr . inet_service"

KINDS = {
    "cluster-ips": "ipv4_addr",
    "service-ips": f"{_AT} : verdict",
    "no-endpoint-services": f"{_AT} : verdict",
    "firewall-ips": f"{_AT} : verdict",
    "service-nodeports": f"{_AT_NODE} : verdict",
    "no-endpoint-nodeports": f"{_AT_NODE} : verdict",
    "firewall-sources": f"{_AT} . range",
    "hairpin": "ipv4_addr . ipv4_addr",
}
"""Set or map → what its keys are, and what its values are."""

for _places, _key in ((ADDRESS, "ipv4_addr . inet_service"), (NODE_PORT, "inet_service")):
    for _place in _places.values():
        KINDS |= {
            f"{_place.prefix}endpoints": f"{_key} . integer : {_TO}",
            f"{_place.prefix}session-ids": f"{_key} . integer : priority",
            f"{_place.prefix}session-endpoints": f"{_key} . priority : {_TO}",
        }
