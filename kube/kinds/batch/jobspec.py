"""Rules for the spec of a Job, wherever it stands (a CronJob has one too)."""

from __future__ import annotations

from kube.errors import FieldError, duplicate, forbidden, invalid, required, show, too_long, too_many
from kube.kinds.pod.validation import validate_pod_template
from kube.objects import Json, whole
from kube.validation import (
    check,
    check_choice,
    check_counts,
    check_domain_path,
    check_not_negative,
    qualified_name,
    repeats,
)

NUMBERS = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
)
MODES = ("NonIndexed", "Indexed")
ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
MAX_PARALLELISM = 100000
MAX_RULES, MAX_EXIT_CODES, MAX_PATTERNS = 20, 255, 20


def default_conditions(policy: Json | None) -> None:
    """The conditions that the rules of a `podFailurePolicy` look for are to be True unless they say otherwise."""
    for rule in (policy or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern["status"] = pattern.get("status") or "True"


def check_job_spec(spec: Json, path: str) -> list[FieldError]:
    """The spec of a Job apart from its selector."""
    errors = check_counts(spec, path, NUMBERS)
    if (manager := spec.get("managedBy")) is not None:
        errors += check_domain_path(f"{path}.managedBy", manager) if manager else [required(f"{path}.managedBy")]
        if len(manager) > 63:
            errors.append(too_long(f"{path}.managedBy", manager, 63))
    errors += _check_mode(spec, path)
    if (policy := spec.get("podFailurePolicy")) is not None:
        errors += _check_failure_policy(policy, spec, f"{path}.podFailurePolicy")
    if (policy := spec.get("successPolicy")) is not None:
        errors += _check_success_policy(policy, spec, f"{path}.successPolicy")
    if (replacement := spec.get("podReplacementPolicy")) is not None:
        choices = ("Failed",) if spec.get("podFailurePolicy") is not None else ("Failed", "TerminatingOrFailed")
        errors += check_choice(f"{path}.podReplacementPolicy", replacement, choices)
    errors += validate_pod_template(spec.get("template") or {}, f"{path}.template")
    pod, path = (spec.get("template") or {}).get("spec") or {}, f"{path}.template.spec"
    restart = pod.get("restartPolicy")
    if restart in (None, "", "Always"):
        errors.append(required(f"{path}.restartPolicy", 'valid values: "OnFailure", "Never"'))
    elif restart not in ("OnFailure", "Never"):
        errors += check_choice(f"{path}.restartPolicy", restart, ("OnFailure", "Never"))
    elif spec.get("podFailurePolicy") is not None and restart != "Never":
        message = 'only "Never" is supported when podFailurePolicy is specified'
        errors.append(invalid(f"{path}.restartPolicy", restart, message))
    elif pod.get("ephemeralContainers"):
        errors.append(forbidden(f"{path}.ephemeralContainers", "cannot be set for a Job"))
    return errors


def _check_mode(spec: Json, path: str) -> list[FieldError]:
    mode = spec.get("completionMode")
    errors = [] if mode is None else check_choice(f"{path}.completionMode", mode, MODES)
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        errors.append(required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    if mode != "Indexed":
        return errors + [
            invalid(f"{path}.{name}", spec[name], "requires indexed completion mode")
            for name in ("backoffLimitPerIndex", "maxFailedIndexes")
            if spec.get(name) is not None
        ]
    completions, parallelism, failed = (spec.get(n) for n in ("completions", "parallelism", "maxFailedIndexes"))
    if completions is None:
        errors.append(required(f"{path}.completions", "when completion mode is Indexed"))
    if parallelism is not None and parallelism > MAX_PARALLELISM:
        errors.append(
            invalid(
                f"{path}.parallelism",
                parallelism,
                f"must be less than or equal to {MAX_PARALLELISM} when completion mode is Indexed",
            )
        )
    if failed is not None and completions is not None and failed > completions:
        errors.append(invalid(f"{path}.maxFailedIndexes", failed, "must be less than or equal to completions"))
    return errors


def _check_failure_policy(policy: Json, spec: Json, path: str) -> list[FieldError]:
    rules = policy.get("rules") or []
    if len(rules) > MAX_RULES:
        return [too_many(f"{path}.rules", len(rules), MAX_RULES)]
    pod = (spec.get("template") or {}).get("spec") or {}
    names = {c.get("name") for n in ("containers", "initContainers") for c in pod.get(n) or ()}
    per_index = spec.get("backoffLimitPerIndex") is not None
    errors: list[FieldError] = []
    for i, rule in enumerate(rules):
        at, action = f"{path}.rules[{i}]", rule.get("action")
        if not action:
            errors.append(required(f"{at}.action", 'valid values: "FailJob", "FailIndex", "Count" and "Ignore"'))
        elif action == "FailIndex" and not per_index:
            errors.append(invalid(f"{at}.action", action, "requires the backoffLimitPerIndex to be set"))
        else:
            errors += check_choice(f"{at}.action", action, ACTIONS)
        codes, patterns = rule.get("onExitCodes"), rule.get("onPodConditions") or []
        if codes is not None:
            errors += _check_exit_codes(codes, names, f"{at}.onExitCodes")
        if len(patterns) > MAX_PATTERNS:
            errors.append(too_many(f"{at}.onPodConditions", len(patterns), MAX_PATTERNS))
        else:
            for j, pattern in enumerate(patterns):
                place = f"{at}.onPodConditions[{j}]"
                errors += check(f"{place}.type", pattern.get("type") or "", qualified_name)
                errors += check_choice(f"{place}.status", pattern.get("status"), ("False", "True", "Unknown"))
        if codes is not None and patterns:
            errors.append(omitted(at, "specifying both OnExitCodes and OnPodConditions is not supported"))
        if codes is None and not patterns:
            errors.append(omitted(at, "specifying one of OnExitCodes and OnPodConditions is required"))
    return errors


def _check_exit_codes(codes: Json, names: set[str | None], path: str) -> list[FieldError]:
    operator, values = codes.get("operator"), codes.get("values") or []
    if not operator:
        errors = [required(f"{path}.operator", 'valid values: "In", "NotIn"')]
    else:
        errors = check_choice(f"{path}.operator", operator, ("In", "NotIn"))
    container = codes.get("containerName")
    if container is not None and container not in names:
        errors.append(
            invalid(
                f"{path}.containerName",
                container,
                "must be one of the container or initContainer names in the pod template",
            )
        )
    if not values:
        errors.append(invalid(f"{path}.values", values, "at least one value is required"))
    elif len(values) > MAX_EXIT_CODES:
        errors.append(too_many(f"{path}.values", len(values), MAX_EXIT_CODES))
    errors += [duplicate(f"{path}.values[{i}]", values[i]) for i in repeats(values)]
    if values != sorted(values):
        errors.append(invalid(f"{path}.values", values, "must be ordered"))
    if operator == "In":
        errors += [
            invalid(f"{path}.values[{i}]", value, "must not be 0 for the In operator")
            for i, value in enumerate(values)
            if value == 0
        ]
    return errors


def _check_success_policy(policy: Json, spec: Json, path: str) -> list[FieldError]:
    if spec.get("completionMode") != "Indexed":
        return [invalid(path, policy, "requires indexed completion mode")]
    rules = policy.get("rules") or []
    if not rules:
        return [required(f"{path}.rules", "at least one rules must be specified when the successPolicy is specified")]
    if len(rules) > MAX_RULES:
        return [too_many(f"{path}.rules", len(rules), MAX_RULES)]
    errors: list[FieldError] = []
    for i, rule in enumerate(rules):
        if rule.get("succeededCount") is None and rule.get("succeededIndexes") is None:
            errors.append(
                required(f"{path}.rules[{i}]", "at least one of succeededCount or succeededIndexes must be specified")
            )
        count, completions = rule.get("succeededCount"), spec.get("completions")
        indexes, listed = rule.get("succeededIndexes"), 0
        if indexes and completions is not None:
            try:
                listed = count_indexes(indexes, completions)
            except ValueError as error:
                message = f"error parsing succeededIndexes: {error}"
                errors.append(invalid(f"{path}.rules[{i}].succeededIndexes", indexes, message))
        errors += check_not_negative(f"{path}.rules[{i}].succeededCount", count)
        if count is not None and completions is not None and count > completions:
            errors.append(
                invalid(
                    f"{path}.rules[{i}].succeededCount",
                    count,
                    f"must be less than or equal to {completions} (the number of specified completions)",
                )
            )
        if count is not None and indexes is not None and count > listed:
            message = (
                f"must be less than or equal to {listed} "
                "(the number of indexes in the specified succeededIndexes field)"
            )
            errors.append(invalid(f"{path}.rules[{i}].succeededCount", count, message))
    return errors


def count_indexes(text: str, completions: int) -> int:
    """How many indexes `1,3-5` names; they ascend and stay below `completions`. Raises ValueError."""
    total, last = 0, -1
    for interval in text.split(","):
        ends = interval.split("-")
        if len(ends) > 2:
            raise ValueError(
                f"the fragment {show(interval)} violates the requirement that an index interval can have at most two "
                "parts separated by '-'"
            )
        first = last
        for place, end in enumerate(ends):
            if (index := whole(end)) is None:
                raise ValueError(f"cannot convert string to integer for index: {show(end)}")
            if index >= completions:
                raise ValueError(f"too large index: {show(end)}")
            if index <= last:
                raise ValueError(f"non-increasing order, previous: {last}, current: {index}")
            first, last = (first if place else index), index
        total += last - first + 1
    return total


def omitted(path: str, detail: str) -> FieldError:
    """An invalid field whose value says nothing."""
    return FieldError("FieldValueInvalid", path, f"Invalid value: {detail}")
