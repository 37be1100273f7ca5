"""The lab's SDN controller, asked through its control socket (:mod:`testbed.sdn.control`)."""

from __future__ import annotations

import json
import socket
from typing import Any

from testbed.errors import LabError
from testbed.kernel.counters import Counters
from testbed.sdn.config import CONTROL

_PATIENCE = 10.0  # seconds that it has to answer, beyond what it was told to wait


def settle(seconds: float) -> list[str]:
    """Waits until every port is up and every switch has confirmed what it was told.

    Returns:
        What is not so when the time is over.

    Raises:
        LabError: The controller does not answer.
    """
    said = _ask(seconds, verb="settle", seconds=seconds, whole=True)
    problems = [f"switch {name} has no connection to its controller" for name in said["missing"]]
    problems += [f"port {name} is down" for name in said["down"]]
    if not said["settled"] and not problems:
        problems.append("the SDN controller waits for confirmations of switches")
    return problems


def ports() -> dict[tuple[str, str], Counters]:
    """What the switches' ports have counted (OpenFlow's port statistics), by switch and port.

    Raises:
        LabError: The controller does not answer.
    """
    return {
        (port["switch"], port["port"]): Counters(*(port[name] for name in Counters._fields))
        for port in _ask(0, verb="ports")["ports"]
    }


def _ask(patience: float, **question: Any) -> dict[str, Any]:
    try:
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(patience + _PATIENCE)
            control.connect(CONTROL)
            control.sendall(json.dumps(question).encode() + b"\n")
            with control.makefile() as answers:
                said: dict[str, Any] = json.loads(answers.readline())
    except (OSError, ValueError) as error:
        raise LabError(f"the SDN controller does not answer: {error}") from None
    if isinstance(said.get("error"), str):
        raise LabError(f"the SDN controller: {said['error']}")
    return said
