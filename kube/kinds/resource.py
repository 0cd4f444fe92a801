"""resource.k8s.io/v1: devices that pods claim (DeviceClass, ResourceClaim, ResourceClaimTemplate, ResourceSlice)."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube import selectors
from kube.cel.expressions import check_expression
from kube.errors import FieldError, duplicate, forbidden, invalid, required, too_many
from kube.objectmeta import ObjectStrategy, validate_meta_content
from kube.objects import Json
from kube.registry import Context, Kind, register
from kube.validation import (
    check,
    check_choice,
    check_not_negative,
    check_required,
    check_unchanged,
    dns1123_label,
    dns1123_subdomain,
    qualified_name,
)

GROUP, DEFINITION = "resource.k8s.io", "io.k8s.api.resource.v1."
MAX_REQUESTS, MAX_SELECTORS, MAX_DEVICES = 32, 32, 128
MODES = ("All", "ExactCount")


def default_requests(spec: Json) -> None:
    """One device is asked for unless something else is said."""
    for request in (spec.get("devices") or {}).get("requests") or ():
        for item in (request.get("exactly"), *(request.get("firstAvailable") or ())):
            if item is not None:
                item["allocationMode"] = item.get("allocationMode") or "ExactCount"
                if item["allocationMode"] == "ExactCount":
                    item["count"] = item.get("count") or 1


def check_claim_spec(spec: Json, path: str) -> list[FieldError]:
    """What is asked for: requests, constraints between them, configuration."""
    devices, path = spec.get("devices") or {}, f"{path}.devices"
    requests = devices.get("requests") or []
    errors: list[FieldError] = []
    if len(requests) > MAX_REQUESTS:
        errors.append(too_many(f"{path}.requests", len(requests), MAX_REQUESTS))
    names: set[str] = set()
    for i, request in enumerate(requests):
        errors += _check_request(request, names, f"{path}.requests[{i}]")
    for i, constraint in enumerate(devices.get("constraints") or ()):
        errors += _check_constraint(constraint, names, f"{path}.constraints[{i}]")
    for i, config in enumerate(devices.get("config") or ()):
        errors += _check_names_known(config.get("requests") or [], names, f"{path}.config[{i}].requests")
        errors += _check_opaque(config.get("opaque"), f"{path}.config[{i}].opaque")
    return errors


def _check_request(request: Json, names: set[str], path: str) -> list[FieldError]:
    errors = _check_request_name(request.get("name") or "", names, f"{path}.name")
    exactly, first = request.get("exactly"), request.get("firstAvailable")
    if (exactly is None) == (not first):
        text = "exactly one of `exactly` or `firstAvailable` is required"
        return [*errors, required(path, text) if exactly is None else invalid(path, None, text)]
    if exactly is not None:
        return errors + _check_device_request(exactly, f"{path}.exactly")
    inner: set[str] = set()
    for i, item in enumerate(first or ()):
        errors += _check_request_name(item.get("name") or "", inner, f"{path}.firstAvailable[{i}].name")
        errors += _check_device_request(item, f"{path}.firstAvailable[{i}]")
    names.update(f"{request.get('name')}/{name}" for name in inner)
    return errors


def _check_request_name(name: str, names: set[str], path: str) -> list[FieldError]:
    if not name:
        return [required(path)]
    errors = [duplicate(path, name)] if name in names else []
    names.add(name)
    return errors + check(path, name, dns1123_label)


def _check_device_request(item: Json, path: str) -> list[FieldError]:
    name, mode, count = item.get("deviceClassName") or "", item.get("allocationMode"), item.get("count")
    errors = check_required(f"{path}.deviceClassName", name, dns1123_subdomain)
    errors += check_selectors(item.get("selectors") or [], f"{path}.selectors")
    errors += check_choice(f"{path}.allocationMode", mode, MODES)
    if mode == "All" and count:
        errors.append(invalid(f"{path}.count", count, "must not be specified when allocationMode is 'All'"))
    if mode == "ExactCount" and count is not None and count <= 0:
        errors.append(invalid(f"{path}.count", count, "must be greater than zero"))
    return errors


def check_selectors(selectors: list[Json], path: str) -> list[FieldError]:
    """Expressions about a `device`."""
    if len(selectors) > MAX_SELECTORS:
        return [too_many(path, len(selectors), MAX_SELECTORS)]
    errors: list[FieldError] = []
    for i, selector in enumerate(selectors):
        if selector.get("cel") is None:
            errors.append(required(f"{path}[{i}].cel"))
        else:
            errors += check_expression(
                f"{path}[{i}].cel.expression", selector["cel"].get("expression") or "", ("device",), result="bool"
            )
    return errors


def _check_names_known(requests: list[str], names: set[str], path: str) -> list[FieldError]:
    text = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
    return [invalid(f"{path}[{i}]", name, text) for i, name in enumerate(requests) if name not in names]


def _check_constraint(constraint: Json, names: set[str], path: str) -> list[FieldError]:
    errors = _check_names_known(constraint.get("requests") or [], names, f"{path}.requests")
    given = [constraint[n] for n in ("matchAttribute", "distinctAttribute") if constraint.get(n) is not None]
    if len(given) != 1:
        return [
            *errors,
            required(
                path, 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
            ),
        ]
    name = "matchAttribute" if constraint.get("matchAttribute") is not None else "distinctAttribute"
    if "/" not in given[0]:
        return [*errors, invalid(f"{path}.{name}", given[0], "must include a domain")]
    return errors + check(f"{path}.{name}", given[0], qualified_name)


def _check_opaque(opaque: Json | None, path: str) -> list[FieldError]:
    if opaque is None:
        return [required(path)]
    errors = check(f"{path}.driver", opaque.get("driver") or "", dns1123_subdomain)
    return errors if isinstance(opaque.get("parameters"), dict) else [*errors, required(f"{path}.parameters")]


class ResourceClaimStrategy(ObjectStrategy):
    status = True

    def default(self, obj: Json) -> None:
        default_requests(obj.setdefault("spec", {}))

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        return check_claim_spec(obj["spec"], "spec")

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_unchanged("spec", obj["spec"], old["spec"])

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        status, before = obj.get("status") or {}, old.get("status") or {}
        users, allocation = status.get("reservedFor") or [], status.get("allocation")
        errors = [
            required(f"status.reservedFor[{i}].{name}")
            for i, user in enumerate(users)
            for name in ("resource", "name", "uid")
            if not user.get(name)
        ]
        if users and allocation is None:
            errors.append(forbidden("status.reservedFor", "may not be specified when `allocated` is not set"))
        if allocation is not None and before.get("allocation") is not None and allocation != before["allocation"]:
            errors += check_unchanged("status.allocation", allocation, before["allocation"])
        return errors


class ResourceClaimTemplateStrategy(ObjectStrategy):
    def default(self, obj: Json) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("metadata", {})
        default_requests(spec.setdefault("spec", {}))

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj["spec"]
        return validate_meta_content(spec["metadata"], "spec.metadata") + check_claim_spec(spec["spec"], "spec.spec")

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_unchanged("spec", obj["spec"], old["spec"])


class DeviceClassStrategy(ObjectStrategy):
    namespaced = False
    generation = True

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj.get("spec") or {}
        errors = check_selectors(spec.get("selectors") or [], "spec.selectors")
        for i, config in enumerate(spec.get("config") or ()):
            errors += _check_opaque(config.get("opaque"), f"spec.config[{i}].opaque")
        return errors


class ResourceSliceStrategy(ObjectStrategy):
    namespaced = False
    generation = True

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj.get("spec") or {}
        driver, pool = spec.get("driver") or "", spec.get("pool") or {}
        errors = check_required("spec.driver", driver, dns1123_subdomain)
        if not pool.get("name"):
            errors.append(required("spec.pool.name"))
        if (pool.get("resourceSliceCount") or 0) <= 0:
            errors.append(
                invalid(
                    "spec.pool.resourceSliceCount", pool.get("resourceSliceCount") or 0, "must be greater than zero"
                )
            )
        errors += check_not_negative("spec.pool.generation", pool.get("generation"))
        # Devices are on one node, on selected nodes, on all, or each says where: exactly one of these.
        places = [name for name in ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection") if spec.get(name)]
        text = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
        if not places:
            errors.append(required("spec", text))
        elif len(places) > 1:
            errors.append(invalid("spec", places, text))
        elif spec.get("nodeName"):
            errors += check("spec.nodeName", spec["nodeName"], dns1123_subdomain)
        names: set[str] = set()
        devices = spec.get("devices") or []
        if len(devices) > MAX_DEVICES:
            errors.append(too_many("spec.devices", len(devices), MAX_DEVICES))
        for i, device in enumerate(devices):
            errors += _check_request_name(device.get("name") or "", names, f"spec.devices[{i}].name")
        return errors

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        new, before = obj.get("spec") or {}, old.get("spec") or {}
        errors = check_unchanged("spec.nodeName", new.get("nodeName"), before.get("nodeName"))
        errors += check_unchanged("spec.driver", new.get("driver"), before.get("driver"))
        return errors + check_unchanged(
            "spec.pool.name", (new.get("pool") or {}).get("name"), (before.get("pool") or {}).get("name")
        )


def claim_cells(obj: Json, now: float) -> list[Any]:
    status = obj.get("status") or {}
    states = ["deleted"] if obj["metadata"].get("deletionTimestamp") else []
    if status.get("allocation") is None:
        states += [] if states else ["pending"]
    else:
        states += ["allocated", *(["reserved"] if status.get("reservedFor") else [])]
    return [obj["metadata"]["name"], ",".join(states), c.age(obj, now)]


def named_cells(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], c.age(obj, now)]


def slice_cells(obj: Json, now: float) -> list[Any]:
    spec = obj.get("spec") or {}
    node = spec.get("nodeName") or (
        c.selector(None) if spec.get("nodeSelector") else "<all>" if spec.get("allNodes") else c.UNSET
    )
    return [
        obj["metadata"]["name"],
        node,
        spec.get("driver", ""),
        (spec.get("pool") or {}).get("name", ""),
        c.age(obj, now),
    ]


register(
    Kind(
        GROUP,
        "v1",
        "DeviceClass",
        "deviceclasses",
        namespaced=False,
        strategy=DeviceClassStrategy(),
        definition=DEFINITION + "DeviceClass",
        columns=(c.NAME, c.AGE),
        cells=named_cells,
    ),
    Kind(
        GROUP,
        "v1",
        "ResourceClaim",
        "resourceclaims",
        subresources=("status",),
        strategy=ResourceClaimStrategy(),
        definition=DEFINITION + "ResourceClaim",
        cells=claim_cells,
        columns=(c.NAME, c.column("State", description="Whether devices are allocated, and reserved."), c.AGE),
    ),
    Kind(
        GROUP,
        "v1",
        "ResourceClaimTemplate",
        "resourceclaimtemplates",
        strategy=ResourceClaimTemplateStrategy(),
        definition=DEFINITION + "ResourceClaimTemplate",
        columns=(c.NAME, c.AGE),
        cells=named_cells,
    ),
    Kind(
        GROUP,
        "v1",
        "ResourceSlice",
        "resourceslices",
        namespaced=False,
        strategy=ResourceSliceStrategy(),
        definition=DEFINITION + "ResourceSlice",
        cells=slice_cells,
        fields={"spec.nodeName": selectors.field("spec", "nodeName"), "spec.driver": selectors.field("spec", "driver")},
        columns=(
            c.NAME,
            c.column("Node", description="The node that the devices are on."),
            c.column("Driver", description="The driver that manages them."),
            c.column("Pool", description="The pool that they belong to."),
            c.AGE,
        ),
    ),
)
