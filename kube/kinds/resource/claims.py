"""Rules for what is asked of devices: the spec of a claim, of a class, and what was allocated to a claim."""

from __future__ import annotations

import re
from typing import Any

import orjson

from kube.cel.expressions import check_expression
from kube.errors import FieldError, forbidden, invalid, required, too_many
from kube.kinds.pod.validation_scheduling import check_node_selector
from kube.kinds.resource.devices import (
    check_binding_conditions,
    check_configuration,
    check_device_name,
    check_domain_identifier,
    check_driver,
    check_list,
    check_pool_name,
    check_toleration,
    named,
)
from kube.objects import Json
from kube.registry import Context
from kube.validation import check_choice, check_required, check_unchanged, dns1123_subdomain

MAX_REQUESTS = MAX_CONSTRAINTS = MAX_CONFIGS = MAX_SELECTORS = MAX_RESULTS = 32
MAX_ALTERNATIVES, MAX_USERS, MAX_STATUSES = 8, 256, 1024
MODES = ("All", "ExactCount")
ADMIN_LABEL = "resource.kubernetes.io/admin-access"
_ONE_OF = "exactly one of `exactly` or `firstAvailable` is required"
_REFERENCE = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
_ONE_ATTRIBUTE = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
_is_uuid = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


def default_requests(spec: Json) -> None:
    """One device is asked for unless something else is said."""
    for request in (spec.get("devices") or {}).get("requests") or ():
        for item in (request.get("exactly"), *(request.get("firstAvailable") or ())):
            if item is None:
                continue
            item["allocationMode"] = item.get("allocationMode") or "ExactCount"
            if item["allocationMode"] == "ExactCount":
                item["count"] = item.get("count") or 1
            for toleration in item.get("tolerations") or ():
                toleration["operator"] = toleration.get("operator") or "Equal"


def check_claim_spec(spec: Json, path: str) -> list[FieldError]:
    """What is asked for: requests, constraints between them, configuration."""
    devices, path = spec.get("devices") or {}, f"{path}.devices"
    names = request_names(spec)

    def constraint(item: Json, at: str) -> list[FieldError]:
        return _check_references(item, at, names) + _check_attribute(item, at)

    def config(item: Json, at: str) -> list[FieldError]:
        return _check_references(item, at, names) + check_configuration(item, at)

    errors = check_list(f"{path}.requests", devices.get("requests") or [], MAX_REQUESTS, _check_request, key=named)
    errors += check_list(f"{path}.constraints", devices.get("constraints") or [], MAX_CONSTRAINTS, constraint)
    return errors + check_list(f"{path}.config", devices.get("config") or [], MAX_CONFIGS, config)


def request_names(spec: Json) -> set[str]:
    """What a claim's requests are known by: `name`, or `name/alternative`."""
    names: set[str] = set()
    for request in (spec.get("devices") or {}).get("requests") or ():
        name = named(request)
        names.add(name)
        names.update(f"{name}/{named(item)}" for item in request.get("firstAvailable") or ())
    return names


def _check_request(request: Json, path: str) -> list[FieldError]:
    errors = check_device_name(named(request), f"{path}.name")
    exactly, first = request.get("exactly"), request.get("firstAvailable")
    if exactly is None and not first:
        return [*errors, required(path, _ONE_OF)]
    if exactly is not None and first:
        return [*errors, invalid(path, None, f"{_ONE_OF}, but multiple fields are set")]
    if exactly is not None:
        return errors + _check_device_request(exactly, f"{path}.exactly")
    return errors + check_list(f"{path}.firstAvailable", first or [], MAX_ALTERNATIVES, _check_alternative, key=named)


def _check_alternative(item: Json, path: str) -> list[FieldError]:
    return check_device_name(named(item), f"{path}.name") + _check_device_request(item, path)


def _check_device_request(item: Json, path: str) -> list[FieldError]:
    name, mode, count = item.get("deviceClassName") or "", item.get("allocationMode"), item.get("count") or 0
    errors = check_required(f"{path}.deviceClassName", name, dns1123_subdomain)
    errors += check_selectors(item.get("selectors") or [], f"{path}.selectors")
    errors += check_choice(f"{path}.allocationMode", mode, MODES)
    if mode == "All" and count:
        errors.append(invalid(f"{path}.count", count, "must not be specified when allocationMode is 'All'"))
    if mode == "ExactCount" and count <= 0:
        errors.append(invalid(f"{path}.count", count, "must be greater than zero"))
    for i, toleration in enumerate(item.get("tolerations") or ()):
        errors += check_toleration(toleration, f"{path}.tolerations[{i}]")
    return errors


def check_selectors(selectors: list[Json], path: str) -> list[FieldError]:
    """Expressions about a `device`."""
    if len(selectors) > MAX_SELECTORS:
        return [too_many(path, len(selectors), MAX_SELECTORS)]
    errors: list[FieldError] = []
    for i, selector in enumerate(selectors):
        if selector.get("cel") is None:
            errors.append(required(f"{path}[{i}].cel"))
            continue
        text, at = selector["cel"].get("expression") or "", f"{path}[{i}].cel.expression"
        # An empty one is not missing here, but does not compile.
        empty = [
            invalid(at, text, "compilation failed: ERROR: <input>:1:1: Syntax error: unexpected end of the expression")
        ]
        errors += check_expression(at, text, ("device",), result="bool") if text.strip() else empty
    return errors


def _check_references(item: Json, path: str, names: set[str]) -> list[FieldError]:
    """`requests` of a constraint or of configuration: requests of the claim, none twice."""

    def reference(name: str, at: str) -> list[FieldError]:
        return _check_reference(name, at, names)

    return check_list(f"{path}.requests", item.get("requests") or [], MAX_REQUESTS, reference, key=str)


def _check_reference(name: str, path: str, names: set[str]) -> list[FieldError]:
    segments = name.split("/")
    if len(segments) > 2:
        return [invalid(path, name, _REFERENCE)]
    errors = [error for segment in segments for error in check_device_name(segment, path)]
    return errors if name in names else [*errors, invalid(path, name, _REFERENCE)]


def _check_attribute(constraint: Json, path: str) -> list[FieldError]:
    """The attribute that devices share or differ in; beside the first the second is not looked at."""
    for field in ("matchAttribute", "distinctAttribute"):
        if (name := constraint.get(field)) is not None:
            return check_domain_identifier(f"{path}.{field}", name)
    return [required(path, _ONE_ATTRIBUTE)]


def check_admin_access(spec: Json, namespace: str, ctx: Context) -> list[FieldError]:
    """Devices in use are shown to claims only where the namespace is marked for administration."""
    for i, request in enumerate((spec.get("devices") or {}).get("requests") or ()):
        if (request.get("exactly") or {}).get("adminAccess"):
            return _check_marked(f"spec.devices.requests[{i}].adminAccess", namespace, ctx)
    return []


def _check_marked(path: str, namespace: str, ctx: Context) -> list[FieldError]:
    for entry in ctx.cache.list("namespaces") if ctx.cache else ():
        meta = orjson.loads(entry.body)["metadata"] if namespace.encode() in entry.body else {}
        if meta.get("name") == namespace and (meta.get("labels") or {}).get(ADMIN_LABEL) == "true":
            return []
    message = f"admin access to devices requires the `{ADMIN_LABEL}: true` label on the containing namespace"
    return [forbidden(path, message)]


def check_claim_status(obj: Json, old: Json, ctx: Context) -> list[FieldError]:
    """Who uses a claim, what was allocated to it, and what drivers say of that."""
    status, before = obj.get("status") or {}, old.get("status") or {}
    users, had = status.get("reservedFor") or [], before.get("reservedFor") or []
    allocation, path = status.get("allocation"), "status.allocation"
    errors = check_list("status.reservedFor", users, MAX_USERS, _check_user, key=lambda user: user.get("uid"))
    errors += _check_device_statuses(status.get("devices") or [], _results(allocation))
    if users and allocation is None:
        errors.append(forbidden("status.reservedFor", "may not be specified when `allocated` is not set"))
    elif obj["metadata"].get("deletionTimestamp") and any(user not in had for user in users):
        message = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
        errors.append(forbidden("status.reservedFor", message))
    if allocation is None:
        return errors
    if before.get("allocation") is not None:
        return errors + check_unchanged(path, allocation, before["allocation"])
    return errors + _check_allocation(allocation, path, request_names(obj.get("spec") or {})) + _admin(obj, ctx)


def _results(allocation: Json | None) -> list[Json]:
    return ((allocation or {}).get("devices") or {}).get("results") or []


def _admin(obj: Json, ctx: Context) -> list[FieldError]:
    for i, result in enumerate(_results(obj["status"]["allocation"])):
        if result.get("adminAccess"):
            path = f"status.allocation.devices.results[{i}].adminAccess"
            return _check_marked(path, obj["metadata"].get("namespace", ""), ctx)
    return []


def _check_user(user: Json, path: str) -> list[FieldError]:
    return [required(f"{path}.{name}") for name in ("resource", "name", "uid") if not user.get(name)]


def _device_id(device: Json) -> tuple[Any, ...]:
    return tuple(device.get(name) or "" for name in ("driver", "pool", "device", "shareID"))


def _check_device_statuses(devices: list[Json], results: list[Json]) -> list[FieldError]:
    allocated = {_device_id(result) for result in results}

    def device_status(device: Json, path: str) -> list[FieldError]:
        errors = _check_device(device, path)
        if _device_id(device) not in allocated:
            errors.append(invalid(path, "/".join(_device_id(device)), "must be an allocated device in the claim"))
        return errors

    return check_list("status.devices", devices, MAX_STATUSES, device_status, key=_device_id)


def _check_device(device: Json, path: str) -> list[FieldError]:
    """Which device it is: driver, pool and name."""
    errors = check_driver(f"{path}.driver", device.get("driver") or "")
    errors += check_pool_name(f"{path}.pool", device.get("pool") or "")
    errors += check_device_name(device.get("device") or "", f"{path}.device")
    share = device.get("shareID")
    if share is not None and not _is_uuid(share):
        errors.append(invalid(f"{path}.shareID", share, "uid must be in RFC 4122 normalized form"))
    return errors


def _check_allocation(allocation: Json, path: str, names: set[str]) -> list[FieldError]:
    devices, at = allocation.get("devices") or {}, f"{path}.devices"

    def result(item: Json, where: str) -> list[FieldError]:
        found = _check_reference(item.get("request") or "", f"{where}.request", names) + _check_device(item, where)
        return found + check_binding_conditions(item, where)

    def config(item: Json, where: str) -> list[FieldError]:
        source = item.get("source")
        found = [] if source else [required(f"{where}.source")]
        found += check_choice(f"{where}.source", source, ("FromClaim", "FromClass")) if source else []
        return found + _check_references(item, where, names) + check_configuration(item, where)

    errors = check_list(f"{at}.results", _results(allocation), MAX_RESULTS, result)
    errors += check_list(f"{at}.config", devices.get("config") or [], 2 * MAX_CONFIGS, config)
    if allocation.get("nodeSelector") is not None:
        errors += check_node_selector(allocation["nodeSelector"], f"{path}.nodeSelector")
    return errors
