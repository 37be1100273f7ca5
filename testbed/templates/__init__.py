"""The project's Jinja2 templates, and the one way to render them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=PackageLoader("testbed"),
        undefined=StrictUndefined,
        autoescape=select_autoescape(("html", "html.j2")),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render(name: str, **values: Any) -> str:
    """The template of that name with these values; HTML templates escape them.

    Raises:
        jinja2.UndefinedError: The template uses a value that is not given.
    """
    return _environment().get_template(name).render(**values)
