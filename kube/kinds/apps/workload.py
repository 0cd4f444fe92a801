"""What the workloads of `apps` have in common: selector against template, counts of the status, update limits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from kube.errors import FieldError, forbidden, invalid, not_supported, required
from kube.kinds.pod.validation import validate_pod_template
from kube.kinds.pod.warnings import template_warnings
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context
from kube.selectors import from_object
from kube.validation import check_label_selector, check_not_negative, dns1123_label

MISMATCH = "`selector` does not match template `labels`"
_PERCENT = re.compile(r"[0-9]+%")
_PERCENT_RULE = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
    "regex used for validation is '[0-9]+%')"
)


class WorkloadStrategy(ObjectStrategy):
    """A kind with a pod template: status apart, generation counts changes of spec."""

    status = True
    generation = True

    def warnings(self, obj: Json, old: Json | None, ctx: Context) -> list[str]:
        if old and old["spec"] == obj["spec"]:
            return []
        return name_warnings(obj) + template_warnings(obj["spec"]["template"], "spec.template")


def name_warnings(obj: Json) -> list[str]:
    """The name of a workload becomes part of host names: it should be a label."""
    wrong = dns1123_label(obj["metadata"].get("name") or "")
    if not wrong:
        return []
    return [
        "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS "
        f"label is recommended: {wrong}"
    ]


def check_selector(spec: Json, noun: str, owner: str) -> list[FieldError]:
    """The selector, and that the template carries its labels; `noun` names the kind in the message.

    `owner` is the kind whose pods the template makes, as messages about it say.
    """
    template, selector = spec.get("template") or {}, spec.get("selector")
    if selector is None:
        return [required("spec.selector"), *check_template(template, None, owner)]
    errors = check_label_selector("spec.selector", selector)
    if is_empty(selector):
        errors.append(invalid("spec.selector", selector, f"empty selector is invalid for {noun}"))
    if errors and not is_empty(selector):
        return [*errors, invalid("spec.selector", selector, "invalid label selector")]
    return errors + check_template(template, selector, owner)


def is_empty(selector: Json) -> bool:
    return not selector.get("matchLabels") and not selector.get("matchExpressions")


def matches(selector: Json | None, template: Json) -> bool:
    """Whether a selector takes the pods of a template; an absent one, or one that cannot be understood, takes none."""
    labels = (template.get("metadata") or {}).get("labels") or {}
    try:
        return selector is not None and from_object(selector).matches(labels)
    except ValueError:
        return False


def check_template(template: Json, selector: Json | None, owner: str) -> list[FieldError]:
    """A pod template that must match `selector`, restart always and have no deadline."""
    errors: list[FieldError] = []
    if not matches(selector, template):
        labels = (template.get("metadata") or {}).get("labels")
        errors.append(invalid("spec.template.metadata.labels", labels, MISMATCH))
    errors += validate_pod_template(template, "spec.template")
    pod = template.get("spec") or {}
    if pod.get("restartPolicy") != "Always":
        errors.append(not_supported("spec.template.spec.restartPolicy", pod.get("restartPolicy"), ["Always"]))
    if pod.get("activeDeadlineSeconds") is not None:
        errors.append(
            forbidden("spec.template.spec.activeDeadlineSeconds", f"activeDeadlineSeconds in {owner} is not Supported")
        )
    return errors


def check_at_most(status: Json, names: Iterable[str], limit: str, shown: str) -> list[FieldError]:
    """Counts of the status that may not exceed another one; `shown` names it in the message."""
    bound = status.get(limit) or 0
    return [
        invalid(f"status.{name}", status.get(name) or 0, f"cannot be greater than {shown}")
        for name in names
        if (status.get(name) or 0) > bound
    ]


def check_collisions(obj: Json, old: Json) -> list[FieldError]:
    """`status.collisionCount` goes into the names of what the workload makes next: it may not fall."""
    before, after = ((o.get("status") or {}).get("collisionCount") or 0 for o in (old, obj))
    return [invalid("status.collisionCount", after, "cannot be decremented")] if after < before else []


def check_count_or_percent(path: str, value: Any) -> list[FieldError]:
    """A number not below zero, or a percentage."""
    if isinstance(value, str):
        return [] if _PERCENT.fullmatch(value) else [invalid(path, value, _PERCENT_RULE)]
    return check_not_negative(path, value)


def check_not_above_100(path: str, value: Any) -> list[FieldError]:
    """A percentage of 100 at most; numbers pass."""
    if isinstance(value, str) and _PERCENT.fullmatch(value) and int(value[:-1]) > 100:
        return [invalid(path, value, "must not be greater than 100%")]
    return []


def magnitude(value: Any) -> int:
    """The number in a count or percentage, 0 where there is none."""
    if isinstance(value, str):
        return int(value[:-1]) if _PERCENT.fullmatch(value) else 0
    return value or 0
