"""Which requests a webhook or policy is about: rules and selectors, their defaults and checks."""

from __future__ import annotations

from kube.errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from kube.kinds.rbac import path_segment
from kube.objects import Json
from kube.validation import (
    check,
    check_choice,
    check_label_selector,
    dns1035_label,
    dns1123_subdomain,
    repeats,
)

GROUP = "admissionregistration.k8s.io"
OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
SCOPES = ("*", "Cluster", "Namespaced")
FAILURE_POLICIES = ("Fail", "Ignore")
MATCH_POLICIES = ("Equivalent", "Exact")
REINVOCATION = ("IfNeeded", "Never")
REQUEST_VARIABLES = ("object", "oldObject", "request", "authorizer")


def default_matching(holder: Json) -> None:
    """Defaults of what selects requests, in a webhook or in the match resources of a policy."""
    holder.setdefault("matchPolicy", "Equivalent")
    holder.setdefault("namespaceSelector", {})
    holder.setdefault("objectSelector", {})
    for name in ("rules", "resourceRules", "excludeResourceRules"):
        for rule in holder.get(name) or ():
            rule.setdefault("scope", "*")


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
    errors: list[FieldError] = []
    if len(names) > 1 and "*" in names:
        what = {"apiGroups": "API groups", "apiVersions": "API versions"}[what]
        errors.append(invalid(path, names, f"if '*' is present, must not specify other {what}"))
    return errors + [required(f"{path}[{i}]") for i, name in enumerate(names) if not (name or empty_allowed)]


def _check_resources(resources: list[str], path: str) -> list[FieldError]:
    """Resources, with or without a subresource; what a `*` before it covers is not said again."""
    errors = [] if resources else [required(path)]
    whole: set[str] = set()  # resources of which all subresources are meant
    everywhere: set[str] = set()  # subresources that are meant of all resources
    last_is_plain = False
    for i, text in enumerate(resources):
        at, (resource, slash, sub) = f"{path}[{i}]", text.partition("/")
        if not text:
            errors.append(required(at))
        elif not slash:
            last_is_plain = text != "*"
        if not slash:
            continue
        if resource in whole:
            errors.append(invalid(at, text, f"if '{resource}/*' is present, must not specify {text}"))
        if sub in everywhere:
            errors.append(invalid(at, text, f"if '*/{sub}' is present, must not specify {text}"))
        whole |= {resource} if sub == "*" else set()
        everywhere |= {sub} if resource == "*" else set()
    if len(resources) > 1 and "*/*" in resources:
        errors.append(invalid(path, resources, "if '*/*' is present, must not specify other resources"))
    if "*" in resources and last_is_plain:
        message = "if '*' is present, must not specify other resources without subresources"
        errors.append(invalid(path, resources, message))
    return errors


def check_match_resources(match: Json, path: str) -> list[FieldError]:
    """The match resources of a policy or of its binding."""
    errors = check_choice(f"{path}.matchPolicy", match.get("matchPolicy"), MATCH_POLICIES)
    errors += check_label_selector(f"{path}.namespaceSelector", match.get("namespaceSelector"))
    errors += check_label_selector(f"{path}.objectSelector", match.get("objectSelector"))
    for name in ("resourceRules", "excludeResourceRules"):
        rules = match.get(name) or []
        for i, rule in enumerate(rules):
            errors += _check_resource_names(rule.get("resourceNames") or [], f"{path}.{name}[{i}].resourceNames")
        errors += check_rules(rules, f"{path}.{name}")
    return errors


def _check_resource_names(names: list[str], path: str) -> list[FieldError]:
    errors = [duplicate(f"{path}[{i}]", names[i]) for i in repeats(names)]
    return errors + [error for i, name in enumerate(names) for error in check(f"{path}[{i}]", name, path_segment)]


def check_param_kind(kind: Json, path: str) -> list[FieldError]:
    """The kind of a policy's parameters: `group/version` and a name that becomes a label in lower case."""
    version, name = kind.get("apiVersion") or "", kind.get("kind") or ""
    errors = _check_group_version(version, f"{path}.apiVersion") if version else [required(f"{path}.apiVersion")]
    if not name:
        return [*errors, required(f"{path}.kind")]
    if wrong := dns1035_label(name.lower()):
        message = "may have mixed case, but should otherwise match: " + ",".join(wrong)
        errors.append(invalid(f"{path}.kind", name, message))
    return errors


def _check_group_version(text: str, path: str) -> list[FieldError]:
    group, _, version = text.rpartition("/")
    if "/" in group:
        return [invalid(path, text, f"unexpected GroupVersion string: {text}")]
    errors = [invalid(path, group, ",".join(wrong))] if group and (wrong := dns1123_subdomain(group)) else []
    if not version:
        return [*errors, invalid(path, text, "version must be specified")]
    return [*errors, invalid(path, version, ",".join(wrong))] if (wrong := dns1035_label(version)) else errors


def check_param_ref(reference: Json, path: str) -> list[FieldError]:
    """Parameters are named or selected, and `parameterNotFoundAction` says what happens without any."""
    name, selector = reference.get("name") or "", reference.get("selector")
    errors = check(f"{path}.name", name, path_segment) if name else []
    errors += check_label_selector(f"{path}.selector", selector)
    if name and selector is not None:
        exclusive = "name and selector are mutually exclusive"
        errors += [forbidden(f"{path}.name", exclusive), forbidden(f"{path}.selector", exclusive)]
    if not name and selector is None:
        errors.append(required(path, "one of name or selector must be specified"))
    action = reference.get("parameterNotFoundAction")
    if not action:
        return [*errors, required(f"{path}.parameterNotFoundAction")]
    return errors + check_choice(f"{path}.parameterNotFoundAction", action, ("Deny", "Allow"))
