"""Which requests a webhook or policy is about: rules and selectors, their defaults and checks."""

from __future__ import annotations

from kube.errors import FieldError, invalid, not_supported, required
from kube.objects import Json
from kube.validation import check_choice, check_label_selector

GROUP = "admissionregistration.k8s.io"
OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
SCOPES = ("*", "Cluster", "Namespaced")
FAILURE_POLICIES = ("Fail", "Ignore")
MATCH_POLICIES = ("Equivalent", "Exact")
REINVOCATION = ("IfNeeded", "Never")
REQUEST_VARIABLES = ("object", "oldObject", "request", "authorizer")


def default_matching(holder: Json) -> None:
    """Defaults of what selects requests, in a webhook or in the match resources of a policy."""
    holder["matchPolicy"] = holder.get("matchPolicy") or "Equivalent"
    holder.setdefault("namespaceSelector", {})
    holder.setdefault("objectSelector", {})
    for name in ("rules", "resourceRules", "excludeResourceRules"):
        for rule in holder.get(name) or ():
            rule["scope"] = rule.get("scope") or "*"


def check_rules(rules: list[Json], path: str) -> list[FieldError]:
    """The rules of a webhook or policy: which operations on which resources."""
    errors: list[FieldError] = []
    for i, rule in enumerate(rules):
        at, operations = f"{path}[{i}]", rule.get("operations") or []
        if not operations:
            errors.append(required(f"{at}.operations"))
        if len(operations) > 1 and "*" in operations:
            message = "if '*' is present, must not specify other operations"
            errors.append(invalid(f"{at}.operations", operations, message))
        errors += [
            not_supported(f"{at}.operations[{j}]", operation, OPERATIONS)
            for j, operation in enumerate(operations)
            if operation not in OPERATIONS
        ]
        for name in ("apiGroups", "apiVersions"):
            errors += _check_names(rule.get(name) or [], f"{at}.{name}", name, empty_allowed=name == "apiGroups")
        errors += _check_resources(rule.get("resources") or [], f"{at}.resources")
        if rule.get("scope") is not None:
            errors += check_choice(f"{at}.scope", rule["scope"], SCOPES)
    return errors


def _check_names(names: list[str], path: str, what: str, empty_allowed: bool) -> list[FieldError]:
    if not names:
        return [required(path)]
    if len(names) > 1 and "*" in names:
        what = {"apiGroups": "API groups", "apiVersions": "API versions"}[what]
        return [invalid(path, names, f"if '*' is present, must not specify other {what}")]
    return [] if empty_allowed else [required(f"{path}[{i}]") for i, name in enumerate(names) if not name]


def _check_resources(resources: list[str], path: str) -> list[FieldError]:
    if not resources:
        return [required(path)]
    errors: list[FieldError] = []
    for i, resource in enumerate(resources):
        if not resource:
            errors.append(required(f"{path}[{i}]"))
        elif resource == "*/*" and len(resources) > 1:
            errors.append(invalid(path, resources, "if '*/*' is present, must not specify other resources"))
        elif resource.count("/") == 1 and resource.startswith("*/") and "*" in resources and resource != "*/*":
            errors.append(invalid(f"{path}[{i}]", resource, "if '*' is present, must not specify other resources"))
    return errors


def check_match_resources(match: Json, path: str) -> list[FieldError]:
    """The match resources of a policy or of its binding."""
    errors = check_choice(f"{path}.matchPolicy", match.get("matchPolicy"), MATCH_POLICIES)
    errors += check_label_selector(f"{path}.namespaceSelector", match.get("namespaceSelector"))
    errors += check_label_selector(f"{path}.objectSelector", match.get("objectSelector"))
    for name in ("resourceRules", "excludeResourceRules"):
        errors += check_rules(match.get(name) or [], f"{path}.{name}")
    return errors


def check_param_kind(kind: Json, path: str) -> list[FieldError]:
    return [required(f"{path}.{name}") for name in ("apiVersion", "kind") if not kind.get(name)]


def check_param_ref(reference: Json, path: str) -> list[FieldError]:
    """Parameters are named or selected, and `parameterNotFoundAction` says what happens without any."""
    name, selector = reference.get("name"), reference.get("selector")
    errors = check_label_selector(f"{path}.selector", selector)
    if bool(name) == (selector is not None):
        errors.append(
            required(path, "one of name or selector must be specified")
            if not name
            else invalid(f"{path}.name", name, "name and selector are mutually exclusive")
        )
    action = reference.get("parameterNotFoundAction")
    if action is None:
        return [*errors, required(f"{path}.parameterNotFoundAction")]
    return errors + check_choice(f"{path}.parameterNotFoundAction", action, ("Allow", "Deny"))
