"""The rules of a node as kube-proxy and this project have to agree on them: parsed, normalised.

A :data:`Form` is a list of lines, so that the first one that differs can be named. What is left out
or put into an order, and why, is here and in docs/fidelity.md, and nowhere else:

iptables
    - Counters of packets and bytes.
    - The order of rules in the lists of all Services (:data:`LISTS`): kube-proxy's is that of a Go
      map, another one each time. The rule that must be the last of ``KUBE-SERVICES`` is looked for
      there. The order of the chains' declarations.
    - ``KUBE-PROXY-CANARY``: an empty chain by which kube-proxy notices that somebody flushed.
    - Counters of nfacct, where the kernel has them: kube-proxy's metrics.
nftables
    - Handles, and the order of elements.
    - Chains of Services that are empty and that nothing leads to: kube-proxy deletes them with the
      next change that is at least a second later, for the sake of kernels before 6.2.
    - Where ports of Services get other names: the port's name in the comment of an element whose
      key and verdict stay. kube-proxy leaves the old one (:func:`with_newer_comments`).
    - The tables of other families: a kube-proxy keeps IPv6 where the kernel has it.
ipvs
    - As for iptables, but that the lists are :data:`IPVS_LISTS`; the order of servers, sets and
      their entries.
    - What sets of the newest revision tell beyond those of any: size of buckets, random number.
    - Rules about sets that are empty: kube-proxy leaves them out, and they match nothing.
    - Endpoints of the node that are not used, in ``KUBE-LOOP-BACK`` (:func:`without_unready`).
    - Sets for IPv6.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any

Form = list[str]
LISTS = ("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-NODEPORTS", "KUBE-PROXY-FIREWALL")
IPVS_LISTS = ("KUBE-IPVS-OUT-FILTER",)
CANARY = "KUBE-PROXY-CANARY"
LAST = "NOTE: this must be the last rule in this chain"
_COUNTED = re.compile(r" -m nfacct --nfacct-name\s+\S+")
_LOCALHOST = "localhost_nps_accepted_pkts"
_COMMENT = "  # "
SHOWN = 20
_NEWER = re.compile(r" bucketsize \d+ initval \S+")


def iptables(saved: str, lists: Sequence[str] = LISTS) -> Form:
    """The form of what ``iptables-save`` prints, with these lists of all Services."""
    form: Form = []
    for table in re.findall(r"^(\*.*?)^COMMIT$", saved, re.MULTILINE | re.DOTALL):
        name, *lines = table.splitlines()
        chains = sorted(_chain(line) for line in lines if line.startswith(":"))
        rules: dict[str, list[str]] = {}
        for line in lines:
            if line.startswith("-A") and _LOCALHOST not in line:
                rules.setdefault(line.split()[1], []).append(_COUNTED.sub("", line))
        known = [c for c in chains if c != f":{CANARY} -" and (c[-1] == "-" or _says(c, rules))]
        ordered = (line for chain in sorted(rules) for line in _ordered(rules[chain], lists))
        form += [f"{name} {line}" for line in (*known, *ordered)]
    return form


def _chain(line: str) -> str:
    """A chain's declaration without its counters."""
    return line.rpartition(" [")[0]


def _says(declared: str, rules: dict[str, list[str]]) -> bool:
    """Whether a built-in chain is other than it always is."""
    name, policy = declared[1:].split()
    return policy != "ACCEPT" or name in rules


def _ordered(rules: list[str], lists: Sequence[str]) -> list[str]:
    """The rules of one chain."""
    if rules[0].split()[1] not in lists:
        return rules
    count = sum(LAST in rule for rule in rules)
    first, last = rules[: len(rules) - count], rules[len(rules) - count :]
    return sorted(first) + sorted(last)


def nftables(listed: str) -> Form:
    """The form of what ``nft -j list ruleset ip`` prints."""
    items = [dict(item) for item in json.loads(listed)["nftables"] if "metainfo" not in item]
    form: Form = []
    rules: dict[str, list[str]] = {}
    for kind, what in (next(iter(item.items())) for item in items):
        if kind == "rule":
            rules.setdefault(what["chain"], []).append(_text(_plain(what["expr"], what)))
    for kind, what in (next(iter(item.items())) for item in items):
        if kind == "chain":
            form.append(f"chain {what['name']}: {_text(_without(what))}")
            form += [f"chain {what['name']}: {rule}" for rule in rules.get(what["name"], ())]
        elif kind != "rule":
            form += _container(kind, what)
    stale = _stale(form, {line.split()[1][:-1] for line in form if line.startswith("chain ")})
    return sorted_by_name(line for line in form if line.split()[1] not in stale)


def sorted_by_name(lines: Iterable[str]) -> Form:
    """Containers and chains by their names; each one's own lines stay as they are."""
    return sorted(lines, key=lambda line: line.split(" ", 2)[:2])


def _container(kind: str, what: dict[str, Any]) -> Iterator[str]:
    """A table, set or map, and its elements."""
    start = f"{kind} {what['name']}:"
    yield f"{start} {_text({k: v for k, v in _without(what).items() if k != 'elem'})}"
    yield from sorted(f"{start} {_element(element)}" for element in what.get("elem", ()))


def _element(element: Any) -> str:
    """An element: key, value if it is a map's, comment if it has one."""
    key, *value = element if isinstance(element, list) else [element]
    inner = key["elem"] if isinstance(key, dict) and "elem" in key else {"val": key}
    comment = f"{_COMMENT}{inner.pop('comment')}" if "comment" in inner else ""
    return " ".join(map(_text, [inner, *value])) + comment


def with_newer_comments(real: Form, ours: Form) -> Form:
    """kube-proxy's form with our comments where only the name of a Service's port is another."""
    mine = {_of_service(line): line for line in ours if _COMMENT in line}
    return [mine.get(_of_service(line), line) for line in real]


def _of_service(line: str) -> str:
    """An element with its comment as far as it names the Service: ``NAMESPACE/NAME:PORT``."""
    element, mark, comment = line.partition(_COMMENT)
    return element + mark + comment.partition(":")[0]


def _stale(form: Form, chains: set[str]) -> set[str]:
    """Names (with a colon) of the chains of Services that are empty and not used."""
    empty = {name for name in chains if "/" in name}
    text = []
    for line in form:
        kind, name, rest = line.split(" ", 2)
        declared = kind == "chain" and '"name":' in rest
        if kind == "chain" and not declared:
            empty.discard(name[:-1])
        text += [] if declared else [rest]
    used = set(re.findall(r'"target": "([^"]*)"', "\n".join(text)))
    return {f"{name}:" for name in empty - used}


def _plain(expressions: list[Any], rule: dict[str, Any]) -> list[Any]:
    """A rule's expressions with its comment."""
    comment = [{"comment": rule["comment"]}] if "comment" in rule else []
    return [*expressions, *comment]


def _without(what: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in what.items() if key != "handle"}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def ipvs(fence: str, servers: str, sets: str, saved: str, addresses: str) -> Form:
    """The form of what these print.

    Args:
        fence: The address of the fence, which is left out.
        servers: ``ipvsadm -Sn``.
        sets: ``ipset save``.
        saved: ``iptables-save``.
        addresses: ``ip -o -4 address show dev kube-ipvs0``.
    """
    entries = [_NEWER.sub("", line) for line in sets.splitlines() if "KUBE-6-" not in line]
    empty = {line.split()[1] for line in entries} - {
        line.split()[1] for line in entries if line.startswith("add ")
    }
    rules = (line for line in iptables(saved, IPVS_LISTS) if not empty & set(line.split()))
    form = [f"server {line}" for line in sorted(servers.splitlines())]
    form += [f"set {line}" for line in sorted(entries)]
    form += [f"address {line.split()[3]}" for line in sorted(addresses.splitlines())]
    return [line for line in (*form, *rules) if fence not in line]


def without_unready(real: Form, ours: Form) -> Form:
    """kube-proxy's form without those entries of ``KUBE-LOOP-BACK`` that ours has not.

    If that is all of them, without its rule, too, as if the set were empty.
    """
    known, loops, rule = set(ours), "set add KUBE-LOOP-BACK ", "--match-set KUBE-LOOP-BACK "
    extra = {line for line in real if line.startswith(loops)} - known
    if not any(line.startswith(loops) for line in ours):
        extra |= {line for line in real if rule in line}
    return [line for line in real if line not in extra]


def difference(real: Form, ours: Form) -> str:
    """The first line that differs, of both, and some that one of them lacks; empty for none."""
    for theirs, mine in zip_longest(real, ours, fillvalue="(nothing)"):
        if theirs != mine:
            more = [f"- {line}" for line in real if line not in ours]
            less = [f"+ {line}" for line in ours if line not in real]
            lines = (*more[:SHOWN], *less[:SHOWN], f"({len(more)} and {len(less)} in all)")
            return "\n".join((f"kube-proxy: {theirs}", f"ours:       {mine}", *lines))
    return ""
