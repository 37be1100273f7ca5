"""What a campaign leaves out on a machine that lacks it: proxy modes with a question mark.

A campaign for all machines may ask for ``ipvs?``, as a package list may have ``NAME?``. Where the
kernel or a program is missing, there is no lab of that mode, and a note says why; a name without
the mark is refused as ever when its lab starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from testbed.errors import InputError
from testbed.measure.campaign import OPTIONAL, Campaign
from testbed.proxy.contract import modes


def only(campaign: Campaign) -> tuple[Campaign, list[str]]:
    """The campaign with what this machine has, and a line about each mode that was left out.

    Raises:
        InputError: No mode is left.
    """
    marked = [name for name in campaign.proxy if name.endswith(OPTIONAL)]
    return without(campaign, {name: absent(name.removesuffix(OPTIONAL)) for name in marked})


def without(campaign: Campaign, lacking: Mapping[str, Sequence[str]]) -> tuple[Campaign, list[str]]:
    """The campaign without the modes that lack something; result and errors as :func:`only`.

    Args:
        campaign: What is asked for.
        lacking: Each mode with a question mark → the features that are missing for it.
    """
    left = [name for name in campaign.proxy if not lacking.get(name)]
    if not left:
        where = campaign.origin.where(("proxy",))
        hint = "See testbed doctor, or name a mode that needs less: --proxy iptables."
        raise InputError("this machine lacks all of its proxy modes", where=where, hint=hint)
    notes = [
        f"Left out: proxy mode {name.removesuffix(OPTIONAL)} (this machine lacks {', '.join(why)})"
        for name, why in lacking.items()
        if why
    ]
    named = tuple(dict.fromkeys(name.removesuffix(OPTIONAL) for name in left))
    return replace(campaign, proxy=named), notes


def absent(mode: str) -> list[str]:
    """The features that a proxy mode needs and this machine lacks."""
    from testbed.doctor.features import probe

    return [one.name for one in probe(modes.get(mode).needs).values() if not one.present]
