"""Rules for what steers a pod to a node: affinity, node selectors, tolerations, spreading, gates."""

from __future__ import annotations

from kube.errors import FieldError, duplicate, forbidden, invalid, required
from kube.objects import Json
from kube.validation import (
    check,
    check_choice,
    check_label_selector,
    check_labels,
    dns1123_label,
    dns1123_subdomain,
    label_value,
    qualified_name,
)

TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
_POLICIES = ("Honor", "Ignore")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def check_scheduling(spec: Json, path: str) -> list[FieldError]:
    """Everything of a spec that the scheduler looks at."""
    errors: list[FieldError] = []
    if selector := spec.get("nodeSelector"):
        errors += check_labels(f"{path}.nodeSelector", selector)
    if affinity := spec.get("affinity"):
        errors += check_affinity(affinity, f"{path}.affinity")
    if tolerations := spec.get("tolerations"):
        errors += check_tolerations(tolerations, f"{path}.tolerations")
    if constraints := spec.get("topologySpreadConstraints"):
        errors += _check_spread(constraints, f"{path}.topologySpreadConstraints")
    names: set[str] = set()
    for i, gate in enumerate(spec.get("schedulingGates") or ()):
        at, name = f"{path}.schedulingGates[{i}]", gate.get("name", "")
        errors += check(at, name, qualified_name)
        if name in names:
            errors.append(duplicate(at, name))
        names.add(name)
    return errors


def check_affinity(affinity: Json, path: str) -> list[FieldError]:
    """Node affinity, pod affinity and pod anti-affinity."""
    errors: list[FieldError] = []
    if node := affinity.get("nodeAffinity"):
        if (wanted := node.get(_REQUIRED)) is not None:
            errors += check_node_selector(wanted, f"{path}.nodeAffinity.{_REQUIRED}")
        for i, term in enumerate(node.get(_PREFERRED) or ()):
            at = f"{path}.nodeAffinity.{_PREFERRED}[{i}]"
            errors += _check_weight(term, at) + _check_node_term(term.get("preference") or {}, f"{at}.preference")
    for name in ("podAffinity", "podAntiAffinity"):
        if rules := affinity.get(name):
            for i, term in enumerate(rules.get(_REQUIRED) or ()):
                errors += _check_pod_term(term, f"{path}.{name}.{_REQUIRED}[{i}]")
            for i, term in enumerate(rules.get(_PREFERRED) or ()):
                at = f"{path}.{name}.{_PREFERRED}[{i}]"
                errors += _check_weight(term, at)
                errors += _check_pod_term(term.get("podAffinityTerm") or {}, f"{at}.podAffinityTerm")
    return errors


def _check_weight(term: Json, path: str) -> list[FieldError]:
    weight = term.get("weight", 0)
    return [] if 1 <= weight <= 100 else [invalid(f"{path}.weight", weight, "must be in the range 1-100")]


def check_node_selector(selector: Json, path: str) -> list[FieldError]:
    """A `v1.NodeSelector`: terms of which one must match."""
    terms = selector.get("nodeSelectorTerms")
    if not terms:
        return [required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")]
    return [e for i, term in enumerate(terms) for e in _check_node_term(term, f"{path}.nodeSelectorTerms[{i}]")]


def _check_node_term(term: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, requirement in enumerate(term.get("matchExpressions") or ()):
        at = f"{path}.matchExpressions[{i}]"
        errors += _check_operator(requirement, at) + check(f"{at}.key", requirement.get("key", ""), qualified_name)
        if requirement.get("operator") in ("In", "NotIn"):
            for j, value in enumerate(requirement.get("values") or ()):
                errors += check(f"{at}.values[{j}]", value, label_value)
    for i, requirement in enumerate(term.get("matchFields") or ()):
        at = f"{path}.matchFields[{i}]"
        if requirement.get("operator") not in ("In", "NotIn"):
            errors.append(invalid(f"{at}.operator", requirement.get("operator", ""), "not a valid selector operator"))
        elif len(requirement.get("values") or ()) != 1:
            errors.append(
                required(
                    f"{at}.values", "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
                )
            )
        if requirement.get("key") != "metadata.name":
            errors.append(invalid(f"{at}.key", requirement.get("key", ""), "not a valid field selector key"))
        else:
            for j, value in enumerate(requirement.get("values") or ()):
                errors += check(f"{at}.values[{j}]", value, dns1123_subdomain)
    return errors


def _check_operator(requirement: Json, path: str) -> list[FieldError]:
    operator, values = requirement.get("operator", ""), requirement.get("values") or ()
    if operator in ("In", "NotIn"):
        return [] if values else [required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")]
    if operator in ("Exists", "DoesNotExist"):
        return (
            [forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")]
            if values
            else []
        )
    if operator in ("Gt", "Lt"):
        return (
            []
            if len(values) == 1
            else [required(f"{path}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")]
        )
    return [invalid(f"{path}.operator", operator, "not a valid selector operator")]


def _check_pod_term(term: Json, path: str) -> list[FieldError]:
    errors = check_label_selector(f"{path}.labelSelector", term.get("labelSelector"))
    errors += check_label_selector(f"{path}.namespaceSelector", term.get("namespaceSelector"))
    for name in term.get("namespaces") or ():
        errors += check(f"{path}.namespace", name, dns1123_label)
    key = term.get("topologyKey", "")
    if not key:
        errors.append(required(f"{path}.topologyKey", "can not be empty"))
    for name in ("matchLabelKeys", "mismatchLabelKeys"):
        for i, label in enumerate(term.get(name) or ()):
            errors += check(f"{path}.{name}[{i}]", label, qualified_name)
            if term.get("labelSelector") is None:
                errors.append(forbidden(f"{path}.{name}", "must not be specified when labelSelector is not set"))
        errors += _check_merged(term, name, path)
    return errors + check(f"{path}.topologyKey", key, qualified_name)


def _check_merged(holder: Json, name: str, path: str) -> list[FieldError]:
    """Keys whose values are taken from the pod's labels stand in the selector once: where they were merged into it."""
    places = {key: i for i, key in enumerate(holder.get(name) or ())}
    selector = holder.get("labelSelector") or {}
    seen = set(selector.get("matchLabels") or ()) if places else set()
    errors: list[FieldError] = []
    for expression in (selector.get("matchExpressions") or ()) if places else ():
        key = expression.get("key", "")
        if key in places and key in seen and name == "matchLabelKeys":
            message = f"exists in both {name} and labelSelector"
            errors.append(invalid(f"{path}[{places[key]}]", key, message))
        seen.add(key)
    return errors


def check_tolerations(tolerations: list[Json], path: str) -> list[FieldError]:
    """The taints that a pod tolerates."""
    errors: list[FieldError] = []
    for i, toleration in enumerate(tolerations):
        at = f"{path}[{i}]"
        key, operator = toleration.get("key", ""), toleration.get("operator", "")
        effect, value = toleration.get("effect", ""), toleration.get("value", "")
        if key:
            errors += check(f"{at}.key", key, qualified_name)
        elif operator != "Exists":
            errors.append(
                invalid(
                    f"{at}.operator",
                    operator,
                    'operator must be Exists when `key` is empty, which means "match all values and all keys"',
                )
            )
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            errors.append(invalid(f"{at}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
        if operator in ("", "Equal"):
            errors += [invalid(f"{at}.operator", value, m) for m in label_value(value)]
        elif operator != "Exists":
            errors += check_choice(f"{at}.operator", operator, ("Equal", "Exists"))
        elif value:
            errors.append(invalid(f"{at}.operator", toleration, "value must be empty when `operator` is 'Exists'"))
        if effect and effect not in TAINT_EFFECTS:
            errors += check_choice(f"{at}.effect", effect, TAINT_EFFECTS)
    return errors


def _check_spread(constraints: list[Json], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for i, constraint in enumerate(constraints):
        at, key, action = f"{path}[{i}]", constraint.get("topologyKey", ""), constraint.get("whenUnsatisfiable", "")
        if constraint.get("maxSkew", 0) <= 0:
            errors.append(invalid(f"{at}.maxSkew", constraint.get("maxSkew", 0), "must be greater than zero"))
        errors += [] if key else [required(f"{at}.topologyKey", "can not be empty")]
        errors += check_choice(f"{at}.whenUnsatisfiable", action, ("DoNotSchedule", "ScheduleAnyway"))
        if (key, action) in seen:
            errors.append(duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {action}}}"))
        seen.add((key, action))
        errors += check_label_selector(f"{at}.labelSelector", constraint.get("labelSelector"))
        if (domains := constraint.get("minDomains")) is not None:
            if domains <= 0:
                errors.append(invalid(f"{at}.minDomains", domains, "must be greater than zero"))
            if constraint.get("whenUnsatisfiable") != "DoNotSchedule":
                errors.append(
                    invalid(
                        f"{at}.minDomains",
                        domains,
                        "can only use minDomains if "
                        f"whenUnsatisfiable=DoNotSchedule, not {constraint.get('whenUnsatisfiable')}",
                    )
                )
        for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            if (policy := constraint.get(name)) is not None:
                errors += check_choice(f"{at}.{name}", policy, _POLICIES)
        for j, label in enumerate(constraint.get("matchLabelKeys") or ()):
            errors += check(f"{at}.matchLabelKeys[{j}]", label, qualified_name)
            if constraint.get("labelSelector") is None:
                message = "must not be specified when labelSelector is not set"
                errors.append(forbidden(f"{at}.matchLabelKeys", message))
        errors += _check_merged(constraint, "matchLabelKeys", at)
    return errors
