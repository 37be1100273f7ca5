"""What the API answers when it cannot do what is asked: Kubernetes' ``Status`` objects.

Reasons, codes and words are those of apimachinery ``pkg/api/errors/errors.go``.
"""

from __future__ import annotations

from typing import Any

NO_WRITES = (
    "the server does not allow this method on the requested resource: the API of a lab is "
    "read-only; use `testbed apply` and `testbed delete`"
)


class Failure(Exception):
    """An answer that is an error.

    Args:
        code: The HTTP status.
        reason: Kubernetes' word for it, such as ``NotFound``.
        message: For people.
        details: What it is about: ``name``, ``group``, ``kind`` …
        metadata: That of the Status, such as a ``continue`` token.
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message
        self.details, self.metadata = details, metadata or {}

    def status(self) -> dict[str, Any]:
        """The Status object (meta/v1)."""
        found = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        return found | ({"details": self.details} if self.details else {}) | {"code": self.code}


def bad_request(message: str) -> Failure:
    """What is asked makes no sense."""
    return Failure(400, "BadRequest", message)


def invalid_options(problems: dict[str, str]) -> Failure:
    """Query parameters that do not go together: parameter → what is wrong with it."""
    causes = [
        {"reason": "FieldValueForbidden", "message": f"Forbidden: {text}", "field": field}
        for field, text in problems.items()
    ]
    text = ", ".join(f"{field}: Forbidden: {what}" for field, what in problems.items())
    if len(problems) > 1:
        text = f"[{text}]"
    message = f'ListOptions.meta.k8s.io "" is invalid: {text}'
    details = {"group": "meta.k8s.io", "kind": "ListOptions", "causes": causes}
    return Failure(422, "Invalid", message, details)


def no_resource() -> Failure:
    """The path leads to nothing."""
    message = "the server could not find the requested resource"
    return Failure(404, "NotFound", message, {})


def not_found(plural: str, group: str, name: str) -> Failure:
    """There is no object of that name."""
    title = f"{plural}.{group}" if group else plural
    details = {"name": name} | ({"group": group} if group else {}) | {"kind": plural}
    return Failure(404, "NotFound", f'{title} "{name}" not found', details)


def no_method() -> Failure:
    """Only reading is possible."""
    return Failure(405, "MethodNotAllowed", NO_WRITES)


def not_acceptable() -> Failure:
    """The client wants a form that there is not."""
    message = "only the following media types are accepted: application/json"
    return Failure(406, "NotAcceptable", message)


def expired(message: str, metadata: dict[str, Any] | None = None) -> Failure:
    """What is asked for is too old: 410 Gone."""
    return Failure(410, "Expired", message, metadata=metadata)


def too_old(version: int, oldest: int) -> Failure:
    """A watch from a version whose changes are forgotten."""
    return expired(f"too old resource version: {version} ({oldest})")


def too_new(version: int, current: int) -> Failure:
    """A version that is not there yet (``NewTooLargeResourceVersionError``)."""
    message = f"Too large resource version: {version}, current: {current}"
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    details = {"causes": [cause], "retryAfterSeconds": 1}
    return Failure(504, "Timeout", f"Timeout: {message}", details)


def too_many() -> Failure:
    """More connections than are allowed."""
    message = "too many connections; close some, or try again later"
    return Failure(429, "TooManyRequests", message, {"retryAfterSeconds": 1})


def internal() -> Failure:
    """A defect of this server."""
    message = "Internal error occurred: see /run/testbed/api.log in the lab"
    return Failure(500, "InternalError", message)
