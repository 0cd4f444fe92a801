"""Rules for probes and lifecycle hooks of a container."""

from __future__ import annotations

import re
from collections.abc import Callable

from kube.errors import FieldError, forbidden, invalid, required
from kube.objects import Json
from kube.validation import check_choice, check_not_negative, port_number_or_name

_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_ONE = ("livenessProbe", "startupProbe")
_is_header = re.compile("[-A-Za-z0-9]+").fullmatch


def check_probes(container: Json, path: str) -> list[FieldError]:
    """The three probes of a container."""
    errors: list[FieldError] = []
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if (probe := container.get(name)) is not None:
            at = f"{path}.{name}"
            errors += _check_handler(probe, at)
            for field in _NUMBERS:
                errors += check_not_negative(f"{at}.{field}", probe.get(field))
            if name in _ONE and probe.get("successThreshold") != 1:
                errors.append(invalid(f"{at}.successThreshold", probe.get("successThreshold"), "must be 1"))
            if (grace := probe.get("terminationGracePeriodSeconds")) is not None:
                if name == "readinessProbe":
                    errors.append(
                        invalid(f"{at}.terminationGracePeriodSeconds", grace, "must not be set for readinessProbes")
                    )
                elif grace <= 0:
                    errors.append(invalid(f"{at}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
    return errors


def check_lifecycle(container: Json, path: str, grace: int | None = None) -> list[FieldError]:
    """The hooks after the start and before the stop of a container, which sleep within the pod's grace period."""
    lifecycle = container.get("lifecycle") or {}
    errors: list[FieldError] = []
    for name in ("postStart", "preStop"):
        if (hook := lifecycle.get(name)) is not None:
            errors += _check_handler(hook, f"{path}.lifecycle.{name}", grace)
    return errors


def _check_handler(holder: Json, path: str, grace: int | None = None) -> list[FieldError]:
    given = [name for name in _HANDLERS if holder.get(name) is not None]
    if not given:
        return [required(path, "must specify a handler type")]
    errors = [forbidden(f"{path}.{name}", "may not specify more than 1 handler type") for name in given[1:]]
    if given[0] == "sleep":
        return errors + _check_sleep(holder["sleep"], f"{path}.sleep", grace)
    return errors + _CHECKS[given[0]](holder[given[0]], f"{path}.{given[0]}")


def _check_sleep(action: Json, path: str, grace: int | None) -> list[FieldError]:
    seconds = action.get("seconds", 0)
    if grace is None or 0 <= seconds <= grace:
        return []
    message = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
    return [invalid(path, seconds, message)]


def _check_http(action: Json, path: str) -> list[FieldError]:
    errors = [] if action.get("path") else [required(f"{path}.path")]
    errors += _check_port(action, path) + check_choice(f"{path}.scheme", action.get("scheme", ""), ("HTTP", "HTTPS"))
    for header in action.get("httpHeaders") or ():
        if not _is_header(header.get("name", "")):
            errors.append(
                invalid(
                    f"{path}.httpHeaders",
                    header.get("name", ""),
                    "a valid HTTP header must consist of "
                    "alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is "
                    "'[-A-Za-z0-9]+')",
                )
            )
    return errors


def _check_port(action: Json, path: str) -> list[FieldError]:
    port = action.get("port", 0)
    return [invalid(f"{path}.port", port, m) for m in port_number_or_name(port)]


_CHECKS: dict[str, Callable[[Json, str], list[FieldError]]] = {
    "exec": lambda action, path: [] if action.get("command") else [required(f"{path}.command")],
    "httpGet": _check_http,
    "tcpSocket": _check_port,
    "grpc": _check_port,
}
