"""Ingresses of somebody who tries to get at more than an Ingress, beside one of somebody else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ingressproxy import World, ingress


@dataclass(frozen=True)
class Attack:
    """An Ingress.

    Attributes:
        name: What is tried.
        manifest: The Ingress ``attack`` for host ``attack.test``.
        message: A part of what is said about it; empty if nothing is.
        nginx: Whether only nginx has what is tried.
    """

    name: str
    manifest: dict[str, Any]
    message: str
    nginx: bool


def _attack(name: str, case: dict[str, Any]) -> Attack:
    rule = ("attack.test", case.get("path", "/"), "a")
    made = ingress(
        "attack", rule, annotations=case.get("annotations"), kind=case.get("type", "Prefix")
    )
    return Attack(name, made, case.get("message", ""), case.get("nginx", False))


FILE = Path(__file__).parent / "unit/ingress/attacks.yaml"
ATTACKS = [_attack(*item) for item in yaml.safe_load(FILE.read_text()).items()]


def beside(attack: Attack, world: World) -> None:
    """The objects: a default class, two Services, the attack, and somebody else's Ingress."""
    world.ingress_class("ours", "testbed/ingress", default=True)
    world.service("a", [80])
    world.service("b", [80])
    world.add(attack.manifest, ingress("victim", ("victim.test", "/", "b")))
