"""FlowSchema: which requests belong to which priority level."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind
from kube.validation import check_required, dns1123_label, dns1123_subdomain, repeats

MANDATORY = ("catch-all", "exempt")
METHODS = ("ByNamespace", "ByUser")
HIGHEST = 10000
VERBS = frozenset(("get", "list", "create", "update", "patch", "delete", "deletecollection", "watch", "proxy"))
SUBJECTS = {"User": "user", "Group": "group", "ServiceAccount": "serviceAccount"}


class FlowSchemaStrategy(ObjectStrategy):
    namespaced = False
    whole_first = True
    status = True
    generation = True

    def default(self, obj: Json) -> None:
        spec = obj.setdefault("spec", {})
        spec["matchingPrecedence"] = spec.get("matchingPrecedence") or 1000

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj["spec"]
        precedence, method = spec["matchingPrecedence"], spec.get("distinguisherMethod")
        errors: list[FieldError] = []
        if precedence <= 0:
            errors.append(invalid("spec.matchingPrecedence", precedence, "must be a positive value"))
        if precedence > HIGHEST:
            errors.append(invalid("spec.matchingPrecedence", precedence, f"must not be greater than {HIGHEST}"))
        if precedence == 1 and obj["metadata"].get("name") != "exempt":
            errors.append(
                invalid(
                    "spec.matchingPrecedence",
                    precedence,
                    "only the schema named 'exempt' may have matchingPrecedence 1",
                )
            )
        if method is not None and method.get("type") not in METHODS:
            errors.append(not_supported("spec.distinguisherMethod.type", {"Type": method.get("type", "")}, METHODS))
        name = (spec.get("priorityLevelConfiguration") or {}).get("name") or ""
        path = "spec.priorityLevelConfiguration.name"
        errors += check_required(path, name, dns1123_subdomain, "must reference a priority level")
        return errors + [
            e for i, rule in enumerate(spec.get("rules") or ()) for e in _check_rule(rule, f"spec.rules[{i}]")
        ]

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_mandatory(obj, obj["spec"], old.get("spec"), "")

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_conditions(obj.get("status") or {})


def check_mandatory(obj: Json, spec: Any, before: Any, but: str) -> list[FieldError]:
    """The objects that every server has stay as it made them; `but` says what of them may change."""
    name = obj["metadata"].get("name")
    if name not in MANDATORY or spec == before:
        return []
    return [invalid("spec", obj["spec"], f"spec of '{name}'{but} must equal the fixed value")]


def check_conditions(status: Json) -> list[FieldError]:
    """Each type of condition stands once."""
    types = [condition.get("type") or "" for condition in status.get("conditions") or ()]
    errors = [required(f"status.conditions[{i}].type") for i, name in enumerate(types) if not name]
    return errors + [duplicate(f"status.conditions[{i}].type", types[i]) for i in repeats(types)]


def _check_rule(rule: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if not rule.get("subjects"):
        errors.append(required(f"{path}.subjects", "subjects must contain at least one value"))
    for i, subject in enumerate(rule.get("subjects") or ()):
        errors += _check_subject(subject, f"{path}.subjects[{i}]")
    if not rule.get("resourceRules") and not rule.get("nonResourceRules"):
        errors.append(required(path, "at least one of resourceRules and nonResourceRules has to be non-empty"))
    for i, item in enumerate(rule.get("resourceRules") or ()):
        errors += _check_resource_rule(item, f"{path}.resourceRules[{i}]")
    for i, item in enumerate(rule.get("nonResourceRules") or ()):
        errors += _check_url_rule(item, f"{path}.nonResourceRules[{i}]")
    return errors


def _check_subject(subject: Json, path: str) -> list[FieldError]:
    """The part that the kind names, and no other."""
    kind = subject.get("kind") or ""
    if kind not in SUBJECTS:
        return [not_supported(f"{path}.kind", kind, SUBJECTS)]
    field = SUBJECTS[kind]
    body, at = subject.get(field), f"{path}.{field}"
    if body is None:
        errors = [required(at, f"{field} is required when subject kind is '{kind}'")]
    elif kind == "ServiceAccount":
        name, missing = body.get("name"), "must specify namespace for service account"
        errors = check_required(f"{at}.name", name, dns1123_subdomain) if name != "*" else []
        errors += check_required(f"{at}.namespace", body.get("namespace"), dns1123_label, missing)
    else:
        errors = [] if body.get("name") else [required(f"{at}.name")]
    return errors + [
        forbidden(f"{path}.{other}", f"{other} is forbidden when subject kind is not '{its}'")
        for its, other in SUBJECTS.items()
        if its != kind and subject.get(other) is not None
    ]


def _check_resource_rule(rule: Json, path: str) -> list[FieldError]:
    errors = _check_verbs(rule, path)
    errors += _check_list(rule, "apiGroups", path, "resource rules must supply at least one api group", "api groups")
    errors += _check_list(rule, "resources", path, "resource rules must supply at least one resource", "resources")
    namespaces, at = rule.get("namespaces") or [], f"{path}.namespaces"
    if not namespaces and not rule.get("clusterScope"):
        message = "resource rules that are not cluster scoped must supply at least one namespace"
        return [*errors, required(at, message)]
    if "*" in namespaces:
        return errors + _check_list(rule, "namespaces", path, "", "namespaces")
    return errors + [
        invalid(f"{at}[{i}]", name, f"each member of this list must be '*' or a DNS-1123 label; {message}")
        for i, name in enumerate(namespaces)
        for message in dns1123_label(name)
    ]


def _check_url_rule(rule: Json, path: str) -> list[FieldError]:
    errors = _check_verbs(rule, path)
    missing, others = "nonResourceURLs must contain at least one value", "non-resource URLs"
    errors += _check_list(rule, "nonResourceURLs", path, missing, others)
    urls = rule.get("nonResourceURLs") or []
    if "*" in urls:
        return errors
    return errors + [
        invalid(f"{path}.nonResourceURLs[{i}]", url, wrong) for i, url in enumerate(urls) if (wrong := _wrong_url(url))
    ]


def _wrong_url(url: str) -> str:
    """What is wrong with a path of which the last part may be `*`; empty where nothing is."""
    if not url:
        return "must not be empty"
    if not url.startswith("/"):
        return "must start with slash"
    if " " in url:
        return "must not contain white-space"
    if "//" in url:
        return "must not contain double slash"
    return "wildcard can only do suffix matching" if "*" in url.removesuffix("/*") else ""


def _check_verbs(rule: Json, path: str) -> list[FieldError]:
    verbs = rule.get("verbs") or []
    errors = _check_list(rule, "verbs", path, "verbs must contain at least one value", "verbs")
    if not verbs or "*" in verbs or set(verbs) <= VERBS:
        return errors
    return [*errors, not_supported(f"{path}.verbs", verbs, VERBS)]


def _check_list(rule: Json, name: str, path: str, missing: str, others: str) -> list[FieldError]:
    """A list with something in it, and `*` only alone."""
    values = rule.get(name) or []
    if not values:
        return [required(f"{path}.{name}", missing)]
    if len(values) > 1 and "*" in values:
        return [invalid(f"{path}.{name}", values, f"if '*' is present, must not specify other {others}")]
    return []


def cells(obj: Json, now: float) -> list[Any]:
    spec = obj.get("spec") or {}
    conditions = (obj.get("status") or {}).get("conditions") or ()
    dangling = [o.get("status") for o in conditions if o.get("type") == "Dangling"]
    return [
        obj["metadata"]["name"],
        (spec.get("priorityLevelConfiguration") or {}).get("name", ""),
        spec.get("matchingPrecedence") or 0,
        (spec.get("distinguisherMethod") or {}).get("type") or c.NONE,
        c.age(obj, now),
        dangling[0] if dangling else "?",
    ]


KIND = Kind(
    "flowcontrol.apiserver.k8s.io",
    "v1",
    "FlowSchema",
    "flowschemas",
    namespaced=False,
    subresources=("status",),
    strategy=FlowSchemaStrategy(),
    definition="io.k8s.api.flowcontrol.v1.FlowSchema",
    cells=cells,
    columns=(
        c.NAME,
        c.column("PriorityLevel", description="The priority level of matching requests."),
        c.column("MatchingPrecedence", description="Lower numbers are tried first."),
        c.column("DistinguisherMethod", description="How requests are told apart into flows."),
        c.AGE,
        c.column("MissingPL", description="Whether the priority level is missing."),
    ),
)
