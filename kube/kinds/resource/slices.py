"""Rules for what a driver publishes of its devices: the spec of a ResourceSlice."""

from __future__ import annotations

import re

from kube.errors import FieldError, forbidden, invalid, required, too_long, too_many
from kube.kinds.pod.validation_scheduling import check_node_selector
from kube.kinds.resource.devices import (
    check_binding_conditions,
    check_device_name,
    check_driver,
    check_list,
    check_pool_name,
    check_qualified_identifier,
    check_taint,
    named,
)
from kube.objects import Json
from kube.validation import check, check_unchanged, dns1123_label, dns1123_subdomain

MAX_DEVICES, MAX_DEVICES_ADVANCED = 128, 64
MAX_COUNTER_SETS, MAX_COUNTERS, MAX_CONSUMED = 8, 32, 2
MAX_ATTRIBUTES, MAX_VALUES, MAX_TAINTS, VALUE_LIMIT = 32, 48, 16, 64
_PLACES = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
_ONE_PLACE = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
_DEVICE_PLACES = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in"
    " the ResourceSlice spec"
)
_NO_DEVICE_PLACES = (
    "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the"
    " ResourceSlice spec"
)
_PART = r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_is_version = re.compile(
    rf"(0|[1-9]\d*)(\.(0|[1-9]\d*)){{2}}(-{_PART}(\.{_PART})*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?", re.ASCII
).fullmatch
_LISTS = ("bools", "ints", "strings", "versions")
_VALUES = ("bool", "int", "string", "version", *_LISTS)


def check_slice_spec(spec: Json, before: Json) -> list[FieldError]:
    """The spec of a slice; `before` is the one it replaces, empty for a new slice."""
    pool = spec.get("pool") or {}
    errors = check_driver("spec.driver", spec.get("driver") or "")
    errors += check_pool_name("spec.pool.name", pool.get("name") or "")
    count, generation = pool.get("resourceSliceCount") or 0, pool.get("generation") or 0
    if count <= 0:
        errors.append(invalid("spec.pool.resourceSliceCount", count, "must be greater than zero"))
    if generation < 0:
        errors.append(invalid("spec.pool.generation", generation, "must be greater than or equal to zero"))
    if before:
        errors += check_unchanged("spec.pool.name", pool.get("name"), (before.get("pool") or {}).get("name"))
        for name in ("driver", "nodeName"):
            errors += check_unchanged(f"spec.{name}", spec.get(name), before.get(name))
    return errors + _check_places(spec) + _check_contents(spec, before)


def _check_places(spec: Json) -> list[FieldError]:
    """Devices are on one node, on selected nodes, on all, or each says where: exactly one of these."""
    errors = _check_place(spec, "spec", "must be either unset or set to a non-empty string")
    terms = (spec.get("nodeSelector") or {}).get("nodeSelectorTerms") or []
    if len(terms) > 1:
        message = "must have exactly one node selector term"
        errors.append(invalid("spec.nodeSelector.nodeSelectorTerms", terms, message))
    if spec.get("perDeviceNodeSelection") is False:
        errors.append(invalid("spec.perDeviceNodeSelection", False, "must be either unset or set to true"))
    given = [f"`{name}`" for name in _PLACES if spec.get(name)]
    if not given:
        return [*errors, required("spec", _ONE_PLACE)]
    if len(given) > 1:
        message = f"{_ONE_PLACE}, but multiple fields are set"
        return [*errors, invalid("spec", "{" + ", ".join(given) + "}", message)]
    return errors


def _check_place(holder: Json, path: str, empty: str) -> list[FieldError]:
    name, selector = holder.get("nodeName"), holder.get("nodeSelector")
    errors = check(f"{path}.nodeName", name, dns1123_subdomain) if name else []
    if name == "":
        errors.append(invalid(f"{path}.nodeName", name, empty))
    if selector is not None:
        errors += check_node_selector(selector, f"{path}.nodeSelector")
    if holder.get("allNodes") is False:
        errors.append(invalid(f"{path}.allNodes", False, "must be either unset or set to true"))
    return errors


def _check_contents(spec: Json, before: Json) -> list[FieldError]:
    devices, counters = spec.get("devices") or [], spec.get("sharedCounters") or []
    known = {named(device): device for device in before.get("devices") or ()}
    each = bool(spec.get("perDeviceNodeSelection"))

    def device(item: Json, path: str) -> list[FieldError]:
        return _check_device(item, known.get(named(item), {}), path, each)

    errors: list[FieldError] = []
    if counters and devices:
        errors.append(invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed"))
    limit = MAX_DEVICES_ADVANCED if any(map(_is_advanced, devices)) else MAX_DEVICES
    errors += check_list("spec.devices", devices, limit, device, key=named)
    return errors + check_list("spec.sharedCounters", counters, MAX_COUNTER_SETS, _check_counter_set, key=named)


def _is_advanced(device: Json) -> bool:
    attributes = (device.get("attributes") or {}).values()
    return bool(
        device.get("taints")
        or device.get("consumesCounters")
        or any(a.get(name) for a in attributes for name in _LISTS)
    )


def _check_counter_set(item: Json, path: str) -> list[FieldError]:
    return _check_counters(item, "name", path)


def _check_consumption(item: Json, path: str) -> list[FieldError]:
    return _check_counters(item, "counterSet", path)


def _check_counters(item: Json, field: str, path: str) -> list[FieldError]:
    """A set of counters, which the field names, or what a device takes from it."""
    name, counters = item.get(field) or "", item.get("counters") or {}
    errors = check(f"{path}.{field}", name, dns1123_label) if name else [required(f"{path}.{field}")]
    if not counters:
        return [*errors, required(f"{path}.counters")]
    if len(counters) > MAX_COUNTERS:
        return [*errors, too_many(f"{path}.counters", len(counters), MAX_COUNTERS)]
    return errors + [error for key in counters for error in check(f"{path}.counters", key, dns1123_label)]


def _check_device(device: Json, before: Json, path: str, each_has_place: bool) -> list[FieldError]:
    errors = check_device_name(named(device), f"{path}.name") + _check_properties(device, path)
    if not before or before.get("taints") != device.get("taints"):
        errors += check_list(f"{path}.taints", device.get("taints") or [], MAX_TAINTS, check_taint)
    consumed = device.get("consumesCounters") or []
    errors += check_list(
        f"{path}.consumesCounters", consumed, MAX_CONSUMED, _check_consumption, key=lambda item: item.get("counterSet")
    )
    given = [name for name in _PLACES[:3] if device.get(name) is not None]
    if each_has_place:
        errors += _check_place(device, path, "must not be empty")
        places = [f"`{name}`" for name in given if device[name]]
        if not places:
            errors.append(required(path, _DEVICE_PLACES))
        elif len(places) > 1:
            errors.append(invalid(path, "{" + ", ".join(places) + "}", _DEVICE_PLACES))
    elif given:
        errors.append(invalid(path, None, _NO_DEVICE_PLACES))
    return errors + check_binding_conditions(device, path)


def _check_properties(device: Json, path: str) -> list[FieldError]:
    """Attributes and capacities: so many, with so many values, under names that are identifiers."""
    attributes, capacities = device.get("attributes") or {}, device.get("capacity") or {}
    errors: list[FieldError] = []
    if (total := len(attributes) + len(capacities)) > MAX_ATTRIBUTES:
        message = f"the total number of attributes and capacities must not exceed {MAX_ATTRIBUTES}"
        errors.append(invalid(path, total, message))
    values = sum(sum(len(a.get(name) or ()) for name in _LISTS) or 1 for a in attributes.values())
    if values > MAX_VALUES:
        errors.append(invalid(path, values, f"the total number of attribute values must not exceed {MAX_VALUES}"))
    for name, attribute in attributes.items():
        errors += check_qualified_identifier(f"{path}.attributes", name)
        errors += _check_attribute(attribute, f"{path}.attributes[{name}]")
    shared = bool(device.get("allowMultipleAllocations"))
    for name, capacity in capacities.items():
        errors += check_qualified_identifier(f"{path}.capacity", name)
        if capacity.get("requestPolicy") is not None and not shared:
            at = f"{path}.capacity[{name}].requestPolicy"
            errors.append(forbidden(at, "allowMultipleAllocations must be true"))
    return errors


def _check_attribute(attribute: Json, path: str) -> list[FieldError]:
    given = [name for name in _VALUES if attribute.get(name) is not None]
    errors: list[FieldError] = []
    for name in given:
        at, value = f"{path}.{name}", attribute[name]
        kind, items = name.removesuffix("s"), value if name in _LISTS else [value]
        for i, item in enumerate(items if kind in ("string", "version") else ()):
            errors += _check_value(item, kind, f"{at}[{i}]" if name in _LISTS else at)
    if len(given) != 1:
        errors.append(invalid(path, attribute if given else "", "exactly one value must be specified"))
    return errors


def _check_value(value: str, kind: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if kind == "version" and not _is_version(value):
        errors.append(invalid(path, value, "must be a string compatible with semver.org spec 2.0.0"))
    return [*errors, too_long(path, value, VALUE_LIMIT)] if len(value.encode()) > VALUE_LIMIT else errors
