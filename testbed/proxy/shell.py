"""What proxies load as the shell commands that a person would type.

They follow those of :mod:`testbed.plan.shell`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from testbed.plan.model import Sysctl
from testbed.plan.shell import netns
from testbed.proxy import ipvsshell, relayshell
from testbed.proxy.contract import IptablesRestore, Nft, Step
from testbed.proxy.ipvs import Ipvs
from testbed.proxy.relay import Relay


def render(steps: Mapping[str, tuple[Step, ...]]) -> str:
    """The commands, with a comment before each node's; empty if there are none.

    Args:
        steps: Namespace of each node → its steps.
    """
    lines: list[str] = []
    for name, some in steps.items():
        lines += ["", f"# Services on {name}", *(line for one in some for line in _step(name, one))]
    return "".join(f"{line}\n" for line in lines)


def _step(name: str, step: Step) -> Iterator[str]:
    inside = f"ip netns exec {netns(name)}"
    if isinstance(step, Sysctl):
        yield f"{inside} sysctl -qw {step.key}={step.value}"
    elif isinstance(step, IptablesRestore):
        yield f"{inside} iptables-restore --noflush <<'RULES'\n{step.text}RULES"
    elif isinstance(step, Nft):
        yield f"{inside} nft -f - <<'RULES'\n{step.text}RULES"
    elif isinstance(step, Ipvs):
        yield from ipvsshell.render(name, step)
    elif isinstance(step, Relay):
        yield from relayshell.render(name, step)
