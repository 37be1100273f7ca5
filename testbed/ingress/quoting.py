"""Text in the configuration languages of nginx and HAProxy.

The last of three walls: values have types, text has patterns, and what is written is quoted. Both
functions give the text back whatever it is, or refuse it; real nginx and HAProxy are asked in
``tests/kernel/test_ingress_quoting.py``.
"""

from __future__ import annotations


def nginx(text: str) -> str:
    """A parameter of nginx in double quotes (``ngx_conf_read_token``).

    A ``$`` stays what it is to the directive: a variable in some, a character in others. nginx has
    no escape for it, so callers of the former say which ones they mean.

    Raises:
        ValueError: It has a control character, or is too long for nginx's buffer (4 KiB).
    """
    _refuse_control(text)
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if len(quoted.encode()) > _NGINX_BYTES:
        raise ValueError("too long for a parameter of nginx")
    return quoted


def haproxy(text: str) -> str:
    """A word of HAProxy in single quotes, where nothing means anything but the quote itself.

    Raises:
        ValueError: It has a control character.
    """
    _refuse_control(text)
    return "'" + text.replace("'", "'\\''") + "'"


def haproxy_format(text: str) -> str:
    """The same for a word that is a log-format string: a percent sign is only that.

    Raises:
        ValueError: It has a control character.
    """
    return haproxy(text.replace("%", "%%"))


_NGINX_BYTES = 4000
_FIRST, _DELETE = 32, 127


def _refuse_control(text: str) -> None:
    if any(ord(character) < _FIRST or ord(character) == _DELETE for character in text):
        raise ValueError("a control character cannot be quoted")
