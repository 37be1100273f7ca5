"""Finding the interchangeable parts: CNI modes, topologies, scenarios.

A part is one module in its package, and adding one is adding that file: ``cni_modes/host_gw.py``
is the mode ``host-gw``. The names are read from the folder, so that listing them imports nothing;
a part is imported when somebody asks for it. Modules whose name starts with an underscore are
shared code, not parts.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any, Generic, TypeVar

from testbed.errors import Where, unknown

T = TypeVar("T")


class Registry(Generic[T]):
    """The parts of one kind.

    Args:
        what: What a part is called in messages, singular: ``CNI mode``.
        package: Name of the package whose modules are the parts.
        attribute: The module attribute that holds the part.
    """

    def __init__(self, what: str, package: str, attribute: str) -> None:
        self.what, self._package, self._attribute = what, package, attribute

    def names(self) -> list[str]:
        """The names of all parts, sorted."""
        path = importlib.import_module(self._package).__path__
        found = (module.name for module in pkgutil.iter_modules(path))
        return sorted(name.replace("_", "-") for name in found if not name.startswith("_"))

    def get(self, name: str, where: Where | None = None) -> T:
        """The part of that name.

        Raises:
            InputError: No part has that name; the message has the nearest one.
        """
        if name not in self.names():
            raise unknown(self.what, name, self.names(), where)
        module = importlib.import_module(f"{self._package}.{name.replace('-', '_')}")
        part: Any = getattr(module, self._attribute)
        return part  # type: ignore[no-any-return]
