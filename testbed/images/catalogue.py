"""Which program of this machine an image stands for.

As in Docker and Kubernetes, a container's ``command`` takes the place of the image's ENTRYPOINT
(and drops its CMD), and ``args`` that of its CMD. An image is known by the last part of its name:
``registry.k8s.io/e2e-test-images/agnhost:2.53`` is ``agnhost``; registry, tag and digest do not
matter. With a ``command`` an image need not be known. ``None`` stands for no process at all: a
container that only pauses needs none.

============================  ===========================  ======================================
image                         ENTRYPOINT                   CMD
============================  ===========================  ======================================
``pause``                     none                         none
``agnhost``                   :mod:`testbed.images.agnhost` ``pause``
``nginx``                     none                         nginx in the foreground, port 80, with
                                                           a page that has the host name
``busybox``                   none                         ``sh``; applets by busybox
``iperf3``                    ``iperf3``                   ``-s``
``coredns``                   ``coredns``                  none; in labs with DNS
``controller``                nginx as ingress controller  none (ingress-nginx's image)
``kubernetes-ingress``        the same with HAProxy        none (haproxytech's image)
``echoserver, echo-basic``    :mod:`testbed.images.echoserver` none
``curl``                      as curlimages/curl           ``curl``
``alpine, debian, ubuntu``    none                         ``sh``
============================  ===========================  ======================================

Sources: the Dockerfiles of Kubernetes (``build/pause``, ``test/images/agnhost``), nginx, busybox,
networkstatic/iperf3 and curlimages/curl (``entrypoint.sh``).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import InputError, Where, unknown

_FOLDER = Path(__file__).parent
_PYTHON = (sys.executable, "-I", "-S")  # no site packages, no PYTHON* variables: 20 ms to start

# curlimages/curl takes an option or an unknown command for curl's own argument.
_CURL = """\
if [ "${1#-}" != "$1" ] || ! command -v "$1" >/dev/null; then set -- curl "$@"; fi
exec "$@"
"""

# In the image every applet is on PATH, before anything else.
_BUSYBOX = """\
if busybox --list | grep -qx -- "$1"; then exec busybox "$@"; fi
exec "$@"
"""


@dataclass(frozen=True, slots=True)
class Image:
    """The local equivalent of an image.

    Attributes:
        entrypoint: What precedes ``args``.
        cmd: What stands for absent ``args``.
        programs: Paths inside the image that a ``command`` may begin with → what they are here.
        idle: ``args`` that only pause, and so need no process.
        needs: Features (``testbed doctor``) that its default process needs.
    """

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    programs: Mapping[str, tuple[str, ...]] | None = None
    idle: tuple[tuple[str, ...], ...] = ()
    needs: tuple[str, ...] = ()


_AGNHOST = (*_PYTHON, str(_FOLDER / "agnhost"))
_NGINX = (*_PYTHON, str(_FOLDER / "nginx.py"))
_ECHO = Image((*_PYTHON, str(_FOLDER / "echoserver.py")))
_INGRESS = (sys.executable, "-I", "-m", "testbed.ingresscontroller")
_SHELL = Image(cmd=("sh",))

IMAGES: Mapping[str, Image] = {
    "pause": Image(idle=((),)),
    "agnhost": Image(
        _AGNHOST,
        ("pause",),
        programs={"/agnhost": _AGNHOST, "agnhost": _AGNHOST},
        idle=(("pause",),),
    ),
    "nginx": Image(("/bin/sh", "-c", 'exec "$@"', "sh"), _NGINX, needs=("nginx",)),
    "busybox": Image(("/bin/sh", "-c", _BUSYBOX, "sh"), ("sh",), needs=("busybox",)),
    "iperf3": Image(("iperf3",), ("-s",), needs=("iperf3",)),
    "coredns": Image(("coredns",), needs=("coredns",)),
    "controller": Image((*_INGRESS, "--controller=nginx"), needs=("nginx",)),
    "kubernetes-ingress": Image((*_INGRESS, "--controller=haproxy"), needs=("haproxy",)),
    "echoserver": _ECHO,
    "echo-basic": _ECHO,
    "curl": Image(("/bin/sh", "-c", _CURL, "sh"), ("curl",), needs=("curl",)),
    "alpine": _SHELL,
    "debian": _SHELL,
    "ubuntu": _SHELL,
}
"""The known images, by the last part of their name."""


def name_of(image: str) -> str:
    """The last part of an image reference, without tag and digest."""
    return re.split(r"[:@]", image.rpartition("/")[2], maxsplit=1)[0]


def resolve(
    image: str,
    command: Sequence[str] | None,
    args: Sequence[str] | None,
    where: Where | None = None,
) -> list[str] | None:
    """The process of a container.

    Args:
        image: The image reference.
        command: The container's ``command``; empty is as good as absent.
        args: The container's ``args``; empty is as good as absent.
        where: The place of the image in the user's input, for the error.

    Returns:
        The arguments of the process, or None for no process.

    Raises:
        InputError: There is no command and the image is unknown; the message has the known ones.
    """
    entry = IMAGES.get(name_of(image))
    if command:
        own = (entry.programs or {}) if entry else {}
        return [*own.get(command[0], (command[0],)), *command[1:], *(args or ())]
    if not image:
        raise InputError("a container needs an image or a command", where=where)
    if entry is None:
        error = unknown("image", image, IMAGES, where)
        error.hint += " Any image will do with a command."
        raise InputError(error.message, where=where, hint=error.hint)
    words = tuple(args or entry.cmd)
    if words in entry.idle:
        return None
    return [*entry.entrypoint, *words]
