"""What claims and slices of devices have in common: bounded lists, names, configuration, taints and tolerations."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

import orjson

from kube.errors import FieldError, duplicate, invalid, required, too_long, too_many
from kube.objects import Json
from kube.validation import (
    c_identifier,
    check,
    check_choice,
    check_csi_driver,
    dns1123_label,
    dns1123_subdomain,
    label_value,
    qualified_name,
    repeats,
)

Item = TypeVar("Item")

IDENTIFIER_LIMIT, POOL_LIMIT = 32, 253
PARAMETERS_LIMIT = 10 * 1024
CONDITIONS_LIMIT = 4
EFFECTS = ("NoExecute", "NoSchedule", "None")

check_driver = check_csi_driver  # the names of drivers of devices are formed as those of volumes


def check_list(
    path: str,
    items: Sequence[Item],
    limit: int,
    checker: Callable[[Item, str], list[FieldError]],
    key: Callable[[Item], Hashable] | None = None,
) -> list[FieldError]:
    """Each item by `checker`, which gets its path; with a `key`, none twice. Of a list that is too long no more is said."""
    if len(items) > limit:
        return [too_many(path, len(items), limit)]
    errors = [error for i, item in enumerate(items) for error in checker(item, f"{path}[{i}]")]
    keys = [key(item) for item in items] if key else []
    return errors + [duplicate(f"{path}[{i}]", keys[i]) for i in repeats(keys)]


def named(item: Json) -> str:
    """The name that tells an item from the others of its list."""
    return item.get("name") or ""


def check_qualified_identifier(path: str, name: str) -> list[FieldError]:
    """An attribute's or capacity's name: an identifier, with the domain of its driver or without."""
    domain, slash, identifier = name.partition("/")
    if not slash:
        return _check_identifier(path, name)
    if "/" in identifier:
        return []
    errors = check_driver(path, domain) if domain else [invalid(path, "", "the domain must not be empty")]
    if not identifier:
        return [*errors, invalid(path, "", "the name must not be empty")]
    return errors + _check_identifier(path, identifier)


def check_domain_identifier(path: str, name: str) -> list[FieldError]:
    """The same with a domain."""
    errors = check_qualified_identifier(path, name)
    if "/" not in name:
        message = "a fully qualified name must be a domain and a name separated by a slash"
        errors.append(invalid(path, name, message))
    return errors


def _check_identifier(path: str, name: str) -> list[FieldError]:
    errors = [too_long(path, name, IDENTIFIER_LIMIT)] if len(name) > IDENTIFIER_LIMIT else []
    return errors + check(path, name, c_identifier)


def check_pool_name(path: str, name: str) -> list[FieldError]:
    """The name of a pool: subdomains between slashes."""
    if not name:
        return [required(path)]
    errors = [too_long(path, name, POOL_LIMIT)] if len(name) > POOL_LIMIT else []
    return errors + [error for part in name.split("/") for error in check(path, part, dns1123_subdomain)]


def check_device_name(name: str, path: str) -> list[FieldError]:
    """A label; an empty one is malformed rather than missing."""
    return check(path, name, dns1123_label)


def check_configuration(config: Json, path: str) -> list[FieldError]:
    """What a driver is told of devices, in a form of its own."""
    opaque, at = config.get("opaque"), f"{path}.opaque"
    if opaque is None:
        return [required(at)]
    errors = check_driver(f"{at}.driver", opaque.get("driver") or "")
    return errors + check_raw(f"{at}.parameters", opaque.get("parameters"))


def check_raw(path: str, value: Any) -> list[FieldError]:
    """A JSON object of bounded size."""
    if value is None:
        return [required(path)]
    if len(orjson.dumps(value)) > PARAMETERS_LIMIT:
        return [too_long(path, "", PARAMETERS_LIMIT)]
    return [] if isinstance(value, dict) else [invalid(path, "<value omitted>", "must be a valid JSON object")]


def check_toleration(toleration: Json, path: str) -> list[FieldError]:
    """A taint of devices that a request puts up with."""
    key, operator, value = (toleration.get(name) or "" for name in ("key", "operator", "value"))
    errors = check(f"{path}.key", key, qualified_name) if key else []
    if operator == "Equal":
        errors += check(f"{path}.value", value, label_value)
    elif operator == "Exists" and value:
        errors.append(invalid(f"{path}.value", value, "must be empty for operator `Exists`"))
    else:
        errors += check_choice(f"{path}.operator", operator, ("Equal", "Exists"))
    if effect := toleration.get("effect"):
        errors += check_choice(f"{path}.effect", effect, EFFECTS)
    return errors


def check_taint(taint: Json, path: str) -> list[FieldError]:
    """What keeps claims off a device."""
    errors = check(f"{path}.key", taint.get("key") or "", qualified_name)
    errors += check(f"{path}.value", taint.get("value") or "", label_value)
    effect = taint.get("effect")
    return errors + (check_choice(f"{path}.effect", effect, EFFECTS) if effect else [required(f"{path}.effect")])


def check_binding_conditions(holder: Json, path: str) -> list[FieldError]:
    """Conditions to wait for before a pod is bound, and those that say it will never be; one list needs the other."""
    names = ("bindingConditions", "bindingFailureConditions")
    wanted, failed = (holder.get(name) or [] for name in names)
    errors: list[FieldError] = []
    for name, conditions in zip(names, (wanted, failed), strict=True):
        errors += check_list(f"{path}.{name}", conditions, CONDITIONS_LIMIT, _check_condition, key=str)
    both = "bindingFailureConditions must not overlap with bindingConditions"
    errors += [invalid(f"{path}.{names[1]}[{i}]", one, both) for i, one in enumerate(failed) if one in wanted]
    if bool(wanted) != bool(failed):
        missing, given = names if failed else names[::-1]
        errors.append(invalid(f"{path}.{missing}", [], f"{missing} are required to use {given}"))
    return errors


def _check_condition(name: str, path: str) -> list[FieldError]:
    return check(path, name, qualified_name)
