"""Which Ingresses a controller serves.

By ``ingressClassName``, whose class names the controller; by the deprecated annotation, which names
the class or, where there is no such class, the controller's usual one; without either, by the
default class. Of several default classes the newest counts
(``plugin/pkg/admission/network/defaultingressclass/admission.go``); where Kubernetes writes it into
an Ingress that is made, it is looked up here each time, so that a new default moves Ingresses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from testbed.ingress.model import Problem, State
from testbed.objects import Ingress, IngressClass


def default(classes: Iterable[IngressClass]) -> IngressClass | None:
    """The class of Ingresses that name none.

    Args:
        classes: The oldest first.
    """
    return next((one for one in reversed(tuple(classes)) if one.default), None)


def chosen(
    state: State, controllers: Collection[str], usual: str
) -> tuple[list[Ingress], list[Problem]]:
    """The Ingresses of a controller, and what nobody serves.

    Args:
        state: All objects.
        controllers: The names by which classes mean this controller.
        usual: The class that the deprecated annotation means where there is no such class.

    Returns:
        The Ingresses, the oldest first, and those that name no class that there is.
    """
    by_name = {one.metadata.name: one for one in state.classes}
    standard = default(state.classes)
    ours: list[Ingress] = []
    problems: list[Problem] = []
    for item in state.ingresses:
        found = standard if item.class_name is None else by_name.get(item.class_name)
        if found is None and not (item.by_annotation and item.class_name == usual):
            problems.append(Problem(item.metadata.key, _absent(item)))
        elif found is None or found.controller in controllers:
            ours.append(item)
    return ours, problems


def _absent(item: Ingress) -> str:
    if item.class_name is None:
        return "it names no class and there is no default class; nobody serves it"
    return f"there is no IngressClass {item.class_name[:80]!r}; nobody serves it"
