"""The smallest change from one plan to another, kind by kind and namespace by namespace."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from testbed.plan.model import NamespacePlan, Plan

_NOTHING = NamespacePlan()


@dataclass(frozen=True)
class Change:
    """What to remove from a namespace and what to add to it."""

    remove: NamespacePlan
    add: NamespacePlan

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return self.remove == _NOTHING and self.add == _NOTHING


@dataclass(frozen=True)
class PlanChange:
    """The way from one plan to another.

    Attributes:
        made: Namespaces that must be made, with all that belongs into them.
        gone: Namespaces that must go, with what was in them.
        changed: Namespaces that stay, with what changes.
    """

    made: dict[str, NamespacePlan]
    gone: dict[str, NamespacePlan]
    changed: dict[str, Change]


def diff(old: Plan, new: Plan) -> PlanChange:
    """What must change for ``old`` to become ``new``."""
    before, after = old.namespaces, new.namespaces
    changes = {
        name: _change(before[name], after[name])
        for name in after
        if name in before and before[name] is not after[name]
    }
    return PlanChange(
        made={name: after[name] for name in after if name not in before},
        gone={name: before[name] for name in before if name not in after},
        changed={name: change for name, change in changes.items() if not change.empty},
    )


def _change(old: NamespacePlan, new: NamespacePlan) -> Change:
    return Change(remove=_only(old, new), add=_only(new, old))


def _only(one: NamespacePlan, other: NamespacePlan) -> NamespacePlan:
    """The items of ``one`` that are not in ``other``, in their order."""
    left: dict[str, Any] = {}
    for kind in fields(one):
        known = set(getattr(other, kind.name))
        left[kind.name] = tuple(item for item in getattr(one, kind.name) if item not in known)
    return NamespacePlan(**left)
