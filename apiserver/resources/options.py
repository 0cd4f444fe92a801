"""The options of lists and watches, and which of their combinations make no sense."""

from __future__ import annotations

from apiserver.request import Request
from kube.errors import FieldError, Invalid, forbidden, not_supported

EXACT, NOT_OLDER = "Exact", "NotOlderThan"


def check_list(request: Request) -> None:
    """Raises Invalid for list options that contradict each other."""
    match, revision = request.query("resourceVersionMatch"), request.query("resourceVersion")
    errors: list[FieldError] = []
    if match:
        errors += _match_errors(request, match, revision)
    if request.has_query("sendInitialEvents"):
        errors.append(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    _raise(errors)


def _match_errors(request: Request, match: str, revision: str) -> list[FieldError]:
    field = "resourceVersionMatch"
    if not revision:
        return [forbidden(field, "resourceVersionMatch is forbidden unless resourceVersion is provided")]
    if request.query("continue"):
        return [forbidden(field, "resourceVersionMatch is forbidden when continue is provided")]
    if match not in (EXACT, NOT_OLDER):
        return [
            FieldError(
                "FieldValueNotSupported",
                field,
                f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan", ""',
            )
        ]
    if match == EXACT and revision == "0":
        return [forbidden(field, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')]
    return []


def check_watch(request: Request) -> None:
    """Raises Invalid for watch options that contradict each other."""
    match, field = request.query("resourceVersionMatch"), "resourceVersionMatch"
    errors: list[FieldError] = []
    if request.query("continue"):
        errors.append(forbidden(field, "resourceVersionMatch is forbidden when continue is provided"))
    elif request.has_query("sendInitialEvents"):
        if match != NOT_OLDER:
            errors.append(forbidden(field, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
            if match:
                errors.append(not_supported(field, match, [NOT_OLDER]))
    elif match:
        errors.append(
            forbidden(field, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
        )
    _raise(errors)


def _raise(errors: list[FieldError]) -> None:
    if errors:
        raise Invalid("ListOptions", "", errors, "meta.k8s.io")
