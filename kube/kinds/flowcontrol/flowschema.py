"""FlowSchema: which requests belong to which priority level."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.errors import FieldError, invalid, not_supported, required
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind
from kube.validation import check_required, dns1123_subdomain

METHODS = ("ByNamespace", "ByUser")
HIGHEST = 10000
VERBS = ("*", "get", "list", "create", "update", "patch", "delete", "deletecollection", "watch", "proxy")
SUBJECTS = {"User": "user", "Group": "group", "ServiceAccount": "serviceAccount"}


class FlowSchemaStrategy(ObjectStrategy):
    namespaced = False
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


def _check_rule(rule: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if not rule.get("subjects"):
        errors.append(required(f"{path}.subjects", "subjects must contain at least one value"))
    for i, subject in enumerate(rule.get("subjects") or ()):
        at, kind = f"{path}.subjects[{i}]", subject.get("kind") or ""
        if kind not in SUBJECTS:
            errors.append(not_supported(f"{at}.kind", kind, SUBJECTS))
        elif (body := subject.get(field := SUBJECTS[kind])) is None:
            errors.append(required(f"{at}.{field}", f"{field} is required when subject kind is '{kind}'"))
        else:
            names = ("name", "namespace") if kind == "ServiceAccount" else ("name",)
            errors += [required(f"{at}.{field}.{name}") for name in names if not body.get(name)]
    if not rule.get("resourceRules") and not rule.get("nonResourceRules"):
        errors.append(required(path, "at least one of resourceRules and nonResourceRules has to be non-empty"))
    for i, item in enumerate(rule.get("resourceRules") or ()):
        at = f"{path}.resourceRules[{i}]"
        errors += _check_lists(item, ("verbs", "apiGroups", "resources"), at)
        unknown = [verb for verb in item.get("verbs") or () if verb not in VERBS]
        if unknown:
            errors.append(not_supported(f"{at}.verbs", unknown, VERBS))
        if not item.get("namespaces") and not item.get("clusterScope"):
            errors.append(
                required(
                    f"{at}.namespaces", "resource rules that are not cluster scoped must supply at least one namespace"
                )
            )
    for i, item in enumerate(rule.get("nonResourceRules") or ()):
        errors += _check_lists(item, ("verbs", "nonResourceURLs"), f"{path}.nonResourceRules[{i}]")
    return errors


def _check_lists(rule: Json, names: tuple[str, ...], path: str) -> list[FieldError]:
    """Each list has something in it, and `*` only alone."""
    errors: list[FieldError] = []
    for name in names:
        values = rule.get(name) or []
        if not values:
            errors.append(required(f"{path}.{name}", f"{name} must contain at least one value"))
        elif len(values) > 1 and "*" in values:
            errors.append(invalid(f"{path}.{name}", values, "if '*' is present, must not specify other values"))
    return errors


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
