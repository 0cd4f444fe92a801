"""The mandatory priority levels and flow schemas: `exempt` for administrators, `catch-all` for everyone."""

from __future__ import annotations

from kube.objects import Json

API_VERSION = "flowcontrol.apiserver.k8s.io/v1"
AUTOUPDATE = {"apf.kubernetes.io/autoupdate-spec": "true"}
ANYTHING = {
    "resourceRules": [
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}
    ],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
}


def objects() -> list[Json]:
    everyone = ["system:unauthenticated", "system:authenticated"]
    return [
        _level("exempt", {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}}),
        _level(
            "catch-all",
            {
                "type": "Limited",
                "limited": {"nominalConcurrencyShares": 5, "lendablePercent": 0, "limitResponse": {"type": "Reject"}},
            },
        ),
        _schema("exempt", 1, ["system:masters"]),
        _schema("catch-all", 10000, everyone, {"type": "ByUser"}),
    ]


def _level(name: str, spec: Json) -> Json:
    return {
        "apiVersion": API_VERSION,
        "kind": "PriorityLevelConfiguration",
        "metadata": {"name": name, "annotations": dict(AUTOUPDATE)},
        "spec": spec,
    }


def _schema(name: str, precedence: int, groups: list[str], distinguisher: Json | None = None) -> Json:
    subjects = [{"kind": "Group", "group": {"name": group}} for group in groups]
    spec: Json = {
        "priorityLevelConfiguration": {"name": name},
        "matchingPrecedence": precedence,
        "rules": [{"subjects": subjects, **ANYTHING}],
    }
    if distinguisher:
        spec["distinguisherMethod"] = distinguisher
    present = {
        "type": "Dangling",
        "status": "False",
        "reason": "Found",
        "message": f'This FlowSchema references the PriorityLevelConfiguration object named "{name}" and it exists',
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "FlowSchema",
        "metadata": {"name": name, "annotations": dict(AUTOUPDATE)},
        "spec": spec,
        "status": {"conditions": [present]},
    }
