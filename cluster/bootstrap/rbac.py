"""The default roles and bindings, kept as data in `rbac.json` (those of Kubernetes 1.36)."""

from __future__ import annotations

import json
from pathlib import Path

from kube.objects import Json

API_VERSION = "rbac.authorization.k8s.io/v1"
KINDS = {
    "clusterroles": "ClusterRole",
    "clusterrolebindings": "ClusterRoleBinding",
    "roles": "Role",
    "rolebindings": "RoleBinding",
}


def objects() -> list[Json]:
    """All default roles and bindings; `admin`, `edit` and `view` already hold the rules they aggregate."""
    data = json.loads(Path(__file__).with_name("rbac.json").read_text())
    aggregate(data["clusterroles"])
    return [
        {"apiVersion": API_VERSION, "kind": kind, **item} for plural, kind in KINDS.items() for item in data[plural]
    ]


def own() -> list[Json]:
    """What Binnacle grants beyond: kube-proxy leads host ports to their pods, which elsewhere the network plugin does."""
    meta = {"name": "binnacle:host-ports"}
    role = {
        "apiVersion": API_VERSION,
        "kind": "ClusterRole",
        "metadata": meta,
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}],
    }
    binding = {
        "apiVersion": API_VERSION,
        "kind": "ClusterRoleBinding",
        "metadata": meta,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": meta["name"]},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "system:kube-proxy"}],
    }
    return [role, binding]


def aggregate(roles: list[Json]) -> None:
    """Give each aggregated role the rules of those it selects, so that it grants before any controller ran.

    Roles select one another (`admin` selects `edit`, which selects `view`): the innermost is filled first.
    """
    for name in ("view", "edit", "admin"):
        role = next(r for r in roles if r["metadata"]["name"] == name)
        rules: list[Json] = []
        for selector in role["aggregationRule"]["clusterRoleSelectors"]:
            wanted = selector["matchLabels"].items()
            for other in roles:
                if other is not role and wanted <= (other["metadata"].get("labels") or {}).items():
                    rules.extend(rule for rule in other.get("rules") or [] if rule not in rules)
        role["rules"] = rules
