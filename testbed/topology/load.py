"""Finding a topology by name or file, and building it with its settings.

A name is one of the modules or YAML files in ``topologies/``. A file is a ``.py`` with a
dictionary ``topos``, as ``mn --custom`` takes it, or a ``.yaml`` (:mod:`testbed.topology.yamlform`
describes its form). Everything ends in one model, checked by :mod:`testbed.topology.check`.
"""

from __future__ import annotations

import importlib
import inspect
import runpy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from testbed.errors import InputError, Where, unknown
from testbed.registry import Registry
from testbed.topology import convert, settings, yamlform
from testbed.topology.check import check
from testbed.topology.model import Topology

_REGISTRY: Registry[Mapping[str, Callable[..., Any]]] = Registry("topology", "topologies", "topos")
_YAML = (".yaml", ".yml")


def names() -> list[str]:
    """The topologies that a name finds, sorted."""
    return sorted({*_REGISTRY.names(), *_yaml_files()})


def load(name_or_path: str, values: Mapping[str, str]) -> Topology:
    """The topology of a name or a file.

    A setting of links is applied to those that say nothing of it themselves; but a class whose
    ``build`` has a parameter of the setting's name gets the value, and does with it what it likes.

    Args:
        name_or_path: A name from :func:`names`; or a path, which has a slash or one of the endings
            ``.py``, ``.yaml``, ``.yml``.
        values: The settings, key → text; the cluster's own are left alone.

    Raises:
        InputError: There is no such topology, a setting is wrong, or the topology is impossible.
    """
    path = Path(name_or_path)
    if "/" in name_or_path or path.suffix in (".py", *_YAML):
        if not path.is_file():
            raise InputError("no such topology file", where=Where(name_or_path))
        return _from_file(path, values)
    yaml_files = _yaml_files()
    if name_or_path in yaml_files:
        return _from_yaml(yaml_files[name_or_path], values)
    if name_or_path not in names():
        raise unknown("topology", name_or_path, names(), Where("--topology"))
    topos = _REGISTRY.get(name_or_path)
    return _from_class(name_or_path, topos[name_or_path], values, Where("--topology"))


def _yaml_files() -> dict[str, Path]:
    folders = importlib.import_module("topologies").__path__
    files = (file for folder in folders for file in Path(folder).iterdir())
    return {file.stem: file for file in files if file.suffix in _YAML}


def _from_file(path: Path, values: Mapping[str, str]) -> Topology:
    if path.suffix in _YAML:
        return _from_yaml(path, values)
    if path.suffix != ".py":
        raise InputError("a topology file ends in .py or .yaml", where=Where(str(path)))
    topos = _topos(path)
    name = path.stem if path.stem in topos else next(iter(topos))
    if len(topos) > 1 and path.stem not in topos:
        hint = f"Name one of them {path.stem!r}; there are {', '.join(sorted(topos))}."
        raise InputError("several topologies in one file", where=Where(str(path)), hint=hint)
    return _from_class(name, topos[name], values, Where(str(path)))


def _topos(path: Path) -> Mapping[str, Callable[..., Any]]:
    """The ``topos`` of a file, which is run as ``mn --custom`` runs it."""
    try:
        topos = runpy.run_path(str(path)).get("topos")
    except Exception as error:  # whatever the user's own code raises
        lines = [f.lineno for f in inspect.trace() if f.filename == str(path)]
        line = getattr(error, "lineno", None) or (lines[-1] if lines else None)
        where = Where(str(path), line=line)
        raise InputError(f"{type(error).__name__}: {error}", where=where) from error
    if not isinstance(topos, dict) or not topos:
        hint = "It needs topos = {'NAME': CLASS}, as mn --custom does."
        raise InputError("no topology in this file", where=Where(str(path)), hint=hint)
    return topos


def _from_yaml(path: Path, values: Mapping[str, str]) -> Topology:
    return yamlform.read(path, settings.parse(values, ["nodes"]))


def _from_class(
    name: str, topo: Callable[..., Any], values: Mapping[str, str], where: Where
) -> Topology:
    known = inspect.signature(getattr(topo, "build", topo)).parameters
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    keys = [key for key, parameter in known.items() if parameter.kind in kinds and key != "self"]
    parsed = settings.parse(values, keys)
    own = {key: parsed.pop(key) for key in keys if key in parsed}
    try:
        built = topo(**own)
    except ValueError as error:
        raise InputError(str(error), where=Where("--set")) from None
    topology = convert.from_topo(name, built, parsed, where)
    return check(topology.with_switches(parsed.get("switches")), lambda _: where)
