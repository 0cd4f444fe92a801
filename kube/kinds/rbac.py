"""rbac.authorization.k8s.io/v1: roles and bindings. What a user may grant is checked by admission, not here."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.errors import FieldError, invalid, not_supported, required
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind, register
from kube.validation import check_label_selector, check_required, dns1123_subdomain

GROUP = "rbac.authorization.k8s.io"


def path_segment(value: str) -> list[str]:
    """A name that can stand in a URL: RBAC objects may be called `system:node`."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{sign}'" for sign in "/%" if sign in value]


class RoleStrategy(ObjectStrategy):
    create_on_update = True
    name_check = staticmethod(path_segment)

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        errors = [
            error
            for i, rule in enumerate(obj.get("rules") or ())
            for error in check_rule(rule, f"rules[{i}]", self.namespaced)
        ]
        if self.namespaced or (aggregation := obj.get("aggregationRule")) is None:
            return errors
        path, selectors = "aggregationRule.clusterRoleSelectors", aggregation.get("clusterRoleSelectors") or []
        if not selectors:
            errors.append(required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil"))
        for i, selector in enumerate(selectors):
            wrong = check_label_selector(f"{path}[{i}]", selector)
            errors += [*wrong, invalid(f"{path}[{i}]", None, "invalid label selector.")] if wrong else []
        return errors


class ClusterRoleStrategy(RoleStrategy):
    namespaced = False


def check_rule(rule: Json, path: str, namespaced: bool) -> list[FieldError]:
    """One rule: verbs on resources of API groups, or (in a ClusterRole) on paths outside the API."""
    errors: list[FieldError] = []
    if not rule.get("verbs"):
        errors.append(required(f"{path}.verbs", "verbs must contain at least one value"))
    if urls := rule.get("nonResourceURLs"):
        if namespaced:
            errors.append(
                invalid(f"{path}.nonResourceURLs", urls, "namespaced rules cannot apply to non-resource URLs")
            )
        if any(rule.get(name) for name in ("apiGroups", "resources", "resourceNames")):
            errors.append(
                invalid(
                    f"{path}.nonResourceURLs",
                    urls,
                    "rules cannot apply to both regular resources and non-resource URLs",
                )
            )
        return errors
    if not rule.get("apiGroups"):
        errors.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        errors.append(required(f"{path}.resources", "resource rules must supply at least one resource"))
    return errors


class BindingStrategy(ObjectStrategy):
    create_on_update = True
    name_check = staticmethod(path_segment)

    def default(self, obj: Json) -> None:
        reference = obj.setdefault("roleRef", {})
        reference["apiGroup"] = reference.get("apiGroup") or GROUP
        for subject in obj.get("subjects") or ():
            if subject.get("kind") in ("User", "Group"):
                subject["apiGroup"] = subject.get("apiGroup") or GROUP

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        reference = obj["roleRef"]
        roles = ("Role", "ClusterRole") if self.namespaced else ("ClusterRole",)
        errors: list[FieldError] = []
        if reference.get("apiGroup") != GROUP:
            errors.append(not_supported("roleRef.apiGroup", reference.get("apiGroup"), [GROUP]))
        if reference.get("kind") not in roles:
            errors.append(not_supported("roleRef.kind", reference.get("kind", ""), roles))
        errors += check_required("roleRef.name", reference.get("name"), path_segment)
        for i, subject in enumerate(obj.get("subjects") or ()):
            path, kind, group = f"subjects[{i}]", subject.get("kind", ""), subject.get("apiGroup", "")
            if kind == "ServiceAccount":
                errors += check_required(f"{path}.name", subject.get("name"), dns1123_subdomain)
                if group:
                    errors.append(not_supported(f"{path}.apiGroup", group, [""]))
                if not self.namespaced and not subject.get("namespace"):
                    errors.append(required(f"{path}.namespace"))
                continue
            if not subject.get("name"):
                errors.append(required(f"{path}.name"))
            if kind not in ("User", "Group"):
                errors.append(not_supported(f"{path}.kind", kind, ["ServiceAccount", "User", "Group"]))
            elif group != GROUP:
                errors.append(not_supported(f"{path}.apiGroup", group, [GROUP]))
        return errors

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        reference = obj["roleRef"]
        if reference == old["roleRef"]:
            return []
        shown = {"APIGroup": reference.get("apiGroup"), "Kind": reference.get("kind"), "Name": reference.get("name")}
        return [invalid("roleRef", shown, "cannot change roleRef")]


class ClusterBindingStrategy(BindingStrategy):
    namespaced = False


def binding_cells(obj: Json, now: float) -> list[Any]:
    reference = obj.get("roleRef") or {}
    names: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in obj.get("subjects") or ():
        kind, name = subject.get("kind", ""), subject.get("name", "")
        if kind in names:
            names[kind].append(f"{subject.get('namespace', '')}/{name}" if kind == "ServiceAccount" else name)
    return [
        obj["metadata"]["name"],
        f"{reference.get('kind', '')}/{reference.get('name', '')}",
        c.age(obj, now),
        *(", ".join(names[kind]) for kind in ("User", "Group", "ServiceAccount")),
    ]


BINDING_COLUMNS = (
    c.NAME,
    c.column("Role", description="The role that is granted."),
    c.AGE,
    c.column("Users", description="Users in the roleBinding", wide=True),
    c.column("Groups", description="Groups in the roleBinding", wide=True),
    c.column("ServiceAccounts", description="ServiceAccounts in the roleBinding", wide=True),
)
DEFINITION = "io.k8s.api.rbac.v1."

register(
    Kind(
        GROUP,
        "v1",
        "ClusterRoleBinding",
        "clusterrolebindings",
        namespaced=False,
        strategy=ClusterBindingStrategy(),
        definition=DEFINITION + "ClusterRoleBinding",
        columns=BINDING_COLUMNS,
        cells=binding_cells,
    ),
    Kind(
        GROUP,
        "v1",
        "ClusterRole",
        "clusterroles",
        namespaced=False,
        strategy=ClusterRoleStrategy(),
        definition=DEFINITION + "ClusterRole",
    ),
    Kind(
        GROUP,
        "v1",
        "RoleBinding",
        "rolebindings",
        strategy=BindingStrategy(),
        definition=DEFINITION + "RoleBinding",
        columns=BINDING_COLUMNS,
        cells=binding_cells,
    ),
    Kind(GROUP, "v1", "Role", "roles", strategy=RoleStrategy(), definition=DEFINITION + "Role"),
)
