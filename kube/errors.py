"""Errors in the vocabulary of the Kubernetes API: each becomes a `Status` object once, at the edge.

An `ApiError` says what went wrong (`reason`), with which HTTP `code`, and in `details` on which object and fields.
A `FieldError` is one cause of an `Invalid` answer: a path into the object, and what is wrong there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """One invalid field: `reason` as in `metav1.CauseType`, `field` a path such as `spec.ports[0].name`."""

    reason: str
    field: str
    message: str

    def cause(self) -> dict[str, str]:
        return {"reason": self.reason, "message": self.message, "field": self.field}

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def show(value: Any) -> str:
    """A value as Kubernetes quotes it inside a message: JSON text, strings in double quotes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def required(field: str, detail: str = "") -> FieldError:
    return FieldError("FieldValueRequired", field, "Required value" + (f": {detail}" if detail else ""))


def invalid(field: str, value: Any, detail: str) -> FieldError:
    return FieldError("FieldValueInvalid", field, f"Invalid value: {show(value)}: {detail}")


def not_supported(field: str, value: Any, supported: Iterable[str]) -> FieldError:
    choices = ", ".join(show(s) for s in (supported if isinstance(supported, list | tuple) else sorted(supported)))
    return FieldError("FieldValueNotSupported", field, f"Unsupported value: {show(value)}: supported values: {choices}")


def duplicate(field: str, value: Any) -> FieldError:
    return FieldError("FieldValueDuplicate", field, f"Duplicate value: {show(value)}")


def forbidden(field: str, detail: str) -> FieldError:
    return FieldError("FieldValueForbidden", field, f"Forbidden: {detail}")


def too_long(field: str, value: Any, limit: int) -> FieldError:
    return FieldError("FieldValueTooLong", field, f"Too long: may not be more than {limit} bytes")


def too_many(field: str, actual: int, limit: int) -> FieldError:
    return FieldError("FieldValueTooMany", field, f"Too many: {actual}: must have at most {limit} items")


def not_found(field: str, value: Any) -> FieldError:
    return FieldError("FieldValueNotFound", field, f"Not found: {show(value)}")


def type_invalid(field: str, value: Any, detail: str) -> FieldError:
    return FieldError("FieldValueTypeInvalid", field, f"Invalid value: {show(value)}: {detail}")


def internal(field: str, detail: str) -> FieldError:
    return FieldError("InternalError", field, f"Internal error: {detail}")


class ApiError(Exception):
    """A failed API request.

    `code` is the HTTP status, `reason` a `metav1.StatusReason`, `details` the `StatusDetails` (name, group, kind, uid,
    causes, retryAfterSeconds) or None.
    """

    code = 500
    reason = "InternalError"
    onward = ""

    def __init__(
        self, message: str, *, details: dict[str, Any] | None = None, code: int | None = None, reason: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        if code is not None:
            self.code = code
        if reason is not None:
            self.reason = reason

    def status(self) -> dict[str, Any]:
        """The `Status` object of this error; `onward` is the continue token with which a list goes on all the same."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.onward} if self.onward else {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        body["code"] = self.code
        return body


def _details(resource: str, group: str, name: str, **more: Any) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if resource:
        details["kind"] = resource
    details.update(more)
    return details


def _qualified(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


class NotFound(ApiError):
    code, reason = 404, "NotFound"

    def __init__(self, resource: str, name: str, group: str = "") -> None:
        super().__init__(f'{_qualified(resource, group)} "{name}" not found', details=_details(resource, group, name))


class AlreadyExists(ApiError):
    code, reason = 409, "AlreadyExists"

    def __init__(self, resource: str, name: str, group: str = "") -> None:
        super().__init__(
            f'{_qualified(resource, group)} "{name}" already exists', details=_details(resource, group, name)
        )


class Conflict(ApiError):
    """The object changed since it was read; reading it again and retrying helps."""

    code, reason = 409, "Conflict"
    MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"

    def __init__(self, resource: str, name: str, group: str = "", detail: str = MODIFIED) -> None:
        super().__init__(
            f'Operation cannot be fulfilled on {_qualified(resource, group)} "{name}": {detail}',
            details=_details(resource, group, name),
        )


class ClaimTaken(ApiError):
    """A unique value (a cluster IP, a node port) is held by another object; choosing another one helps."""

    code, reason = 409, "AlreadyExists"

    def __init__(self, scope: str, value: str) -> None:
        super().__init__(f"{scope} {value} is already allocated")
        self.scope, self.value = scope, value


class Invalid(ApiError):
    """Fields that fail validation. `kind` is the Kind (`Pod`), not the resource."""

    code, reason = 422, "Invalid"

    def __init__(self, kind: str, name: str, errors: Sequence[FieldError], group: str = "") -> None:
        told = list(dict.fromkeys(map(str, errors)))  # what several rules say alike is said once
        text = told[0] if len(told) == 1 else "[" + ", ".join(told) + "]"
        super().__init__(
            f'{_qualified(kind, group)} "{name}" is invalid: {text}',
            details=_details(kind, group, name, causes=[e.cause() for e in errors]),
        )
        self.errors = list(errors)


class Forbidden(ApiError):
    code, reason = 403, "Forbidden"

    def __init__(self, resource: str, name: str, detail: str, group: str = "") -> None:
        target = f'{_qualified(resource, group)} "{name}"' if name else _qualified(resource, group)
        super().__init__(
            f"{target} is forbidden: {detail}" if target else f"forbidden: {detail}",
            details=_details(resource, group, name),
        )


class BadRequest(ApiError):
    code, reason = 400, "BadRequest"


class Unauthorized(ApiError):
    code, reason = 401, "Unauthorized"

    def __init__(self, message: str = "Unauthorized") -> None:
        super().__init__(message)


class Gone(ApiError):
    """The revision asked for was compacted; a new list helps."""

    code, reason = 410, "Expired"


class MethodNotAllowed(ApiError):
    code, reason = 405, "MethodNotAllowed"


class NotAcceptable(ApiError):
    code, reason = 406, "NotAcceptable"


class UnsupportedMediaType(ApiError):
    code, reason = 415, "UnsupportedMediaType"


class RequestEntityTooLarge(ApiError):
    code, reason = 413, "RequestEntityTooLarge"


class TooManyRequests(ApiError):
    """A limit (an eviction budget, a full queue); retrying after `seconds` helps."""

    code, reason = 429, "TooManyRequests"

    def __init__(self, message: str, seconds: int = 1, details: dict[str, Any] | None = None) -> None:
        super().__init__(message, details={**(details or {}), **({"retryAfterSeconds": seconds} if seconds else {})})


class InternalError(ApiError):
    code, reason = 500, "InternalError"


class ServiceUnavailable(ApiError):
    """A part behind this server does not answer; retrying helps."""

    code, reason = 503, "ServiceUnavailable"


class StorageFull(ApiError):
    """The disk of the database has no room: reads go on, writes must wait until somebody frees some."""

    code, reason = 507, "StorageFull"


class Timeout(ApiError):
    code, reason = 504, "Timeout"
