"""What a lab's DNS may be told (``--dns`` and ``--set``), and what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from testbed.defaults import NONE
from testbed.errors import InputError, Where, unknown
from testbed.objects import names

COREDNS = "coredns"
MODES = (COREDNS, NONE)
"""What ``--dns`` knows."""

POD_MODES = ("disabled", "insecure", "verified")
"""CoreDNS's ``pods``: whether ``10-244-1-2.default.pod.cluster.local`` is a name."""


def check(chosen: Mapping[str, str]) -> None:
    """Refuses values that are none.

    Args:
        chosen: ``--set`` keys and values; others are not looked at.

    Raises:
        InputError: One is none of its kind.
    """
    for key, kind, known in (("dns", "DNS server", MODES), ("dns_pods", "mode", POD_MODES)):
        if chosen.get(key, known[0]) not in known:
            where = Where("--dns") if key == "dns" else Where("--set", field=key)
            raise unknown(kind, chosen[key], known, where)
    if reasons := names.dns_subdomain(chosen.get("cluster_domain", "cluster.local")):
        where = Where("--set", field="cluster_domain")
        raise InputError(f"{chosen['cluster_domain']!r}: {reasons[0]}", where=where)


def program(text: str) -> str:
    """The path of ``--set coredns=PATH``, from the root on.

    Raises:
        InputError: There is no program.
    """
    path = Path(text).absolute()
    if not path.is_file() or not os.access(path, os.X_OK):
        raise InputError(f"{text!r} is no program", where=Where("--set", field="coredns"))
    return str(path)
