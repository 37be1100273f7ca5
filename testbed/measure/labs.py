"""The labs of a campaign: what each is to be, with the pods that its scenarios need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from testbed import spec as specs
from testbed.errors import InputError
from testbed.measure.campaign import Campaign
from testbed.measure.contract import scenarios
from testbed.measure.events import KINDS
from testbed.measure.schedule import Variant
from testbed.objects import Object, parse
from testbed.plan import targets
from testbed.spec import Spec


def resolve(campaign: Campaign) -> dict[Variant, Spec]:
    """The labs of a campaign, with the pods that its scenarios need.

    Raises:
        InputError: Nothing is to be measured, or what is chosen does not fit together.
    """
    found = {}
    for variant, points in campaign.points().items():
        names = dict.fromkeys(name for name, _ in points)
        try:
            bare = _spec(campaign, variant)
            nodes = [node.name for node in bare.cluster.nodes]
            manifests = [scenarios.get(name).manifest(nodes) for name in names]
            found[variant] = _spec(campaign, variant, _merged(names, manifests))
            _check_events(campaign, variant, found[variant])
        except InputError as error:
            raise _placed(error, campaign, variant) from None
    return found


def _spec(campaign: Campaign, variant: Variant, objects: Iterable[Object] = ()) -> Spec:
    chosen = {**campaign.settings, **campaign.impairments[variant.impairment]}
    return specs.resolve(variant.topology, objects, variant.cni, variant.proxy, chosen)


def _check_events(campaign: Campaign, variant: Variant, spec: Spec) -> None:
    """Refuses events that end with the sample before they begin, or have no target in a lab."""
    for i, event in enumerate(campaign.events):
        where = campaign.origin.where(("events", i))
        if event.at >= campaign.seconds:
            message = f"begins at {event.at:g} s, when the sample is over (seconds: "
            raise InputError(f"{message}{campaign.seconds})", where=where)
        try:
            targets.check(KINDS[event.kind], event.target, spec.topology, spec.plan, where)
        except InputError as error:
            message = f"{error.message} (in {variant})"
            raise InputError(message, where=where, hint=error.hint) from None


def _merged(names: Iterable[str], manifests: Sequence[str]) -> list[Object]:
    """The objects of several scenarios; equal ones once."""
    found: dict[tuple[str, str | None, str], Object] = {}
    for name, text in zip(names, manifests, strict=True):
        for item in parse(text, f"manifest of {name}"):
            key = (item.kind, item.metadata.namespace, item.metadata.name)
            if key in found and found[key].manifest != item.manifest:
                raise InputError(f"{name} and another scenario want {key} differently")
            found[key] = item
    return list(found.values())


def _placed(error: InputError, campaign: Campaign, variant: Variant) -> InputError:
    """An error about ``--set``, placed in the file if it is the file that says it."""
    if error.where is None or error.where.file != "--set":
        return error
    path = _blamed(error, campaign, variant)
    if not path:
        return error  # it may be about what the command line says
    return InputError(error.message, where=campaign.origin.where(path), hint=error.hint)


def _blamed(error: InputError, campaign: Campaign, variant: Variant) -> tuple[str | int, ...]:
    """Where in the file the setting is that an error is about; empty if nowhere."""
    key = error.where.field if error.where else None
    number = list(campaign.impairments).index(variant.impairment)
    for name in campaign.impairments[variant.impairment]:
        if name == key or (key is None and repr(name) in error.message):
            return "impairments", number, name
    said = (campaign.origin.root or {}).get("settings") or {}
    if not said or (key not in said and campaign.settings.keys() - said.keys()):
        return ()
    return ("settings", key) if key and key in said else ("settings",)
