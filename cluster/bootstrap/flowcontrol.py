"""Priority levels and flow schemas: the mandatory ones (`exempt` for administrators, `catch-all` for everyone), and those
that Kubernetes suggests, with its shares and precedences.
"""

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


EVERYONE = ("system:unauthenticated", "system:authenticated")
BY_USER, BY_NAMESPACE = "ByUser", "ByNamespace"
# Name: shares, the percentage of them that may be lent, queues, how many of them are a flow's, length of each.
LIMITED = {
    "system": (30, 33, 64, 6, 50),
    "node-high": (40, 25, 64, 6, 50),
    "leader-election": (10, 0, 16, 4, 50),
    "workload-high": (40, 50, 128, 6, 50),
    "workload-low": (100, 90, 128, 6, 50),
    "global-default": (20, 50, 128, 6, 50),
}


def objects() -> list[Json]:
    """All of them, levels first."""
    return [*mandatory(), *suggested()]


def mandatory() -> list[Json]:
    """Without which no server is: who deletes one gets it back."""
    exempt = {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}}
    limited = {"nominalConcurrencyShares": 5, "lendablePercent": 0, "limitResponse": {"type": "Reject"}}
    return [
        _level("exempt", exempt),
        _level("catch-all", {"type": "Limited", "limited": limited}),
        _schema("exempt", "exempt", 1, "", _rule([_group("system:masters")])),
        _schema("catch-all", "catch-all", 10000, BY_USER, _rule([*map(_group, EVERYONE)])),
    ]


def suggested() -> list[Json]:
    manager, scheduler = _user("system:kube-controller-manager"), _user("system:kube-scheduler")
    ours, nodes = _accounts("kube-system", "*"), _group("system:nodes")
    endpoints = [
        _on(["get", "create", "update", "patch", "delete"], "", ["endpoints"]),
        _on(["get", "create", "update", "patch", "delete"], "discovery.k8s.io", ["endpointslices"]),
    ]
    makers = [_accounts("kube-system", name) for name in ("endpoint-controller", "endpointslice-controller")]
    leases = _on(["get", "create", "update"], "coordination.k8s.io", ["leases"])
    of_nodes = [
        _on(["*"], "", ["nodes", "nodes/status"], cluster=True),
        _on(["*"], "coordination.k8s.io", ["leases"]),
    ]
    probes = {"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}
    elected = [manager, scheduler, ours]
    return [
        *(_level(name, _limited(*numbers)) for name, numbers in LIMITED.items()),
        _schema("probes", "exempt", 2, "", {"subjects": [*map(_group, EVERYONE)], "nonResourceRules": [probes]}),
        _schema("system-leader-election", "leader-election", 100, BY_USER, _rule(elected, _in("kube-system", leases))),
        _schema("endpoint-controller", "workload-high", 150, BY_USER, _rule([manager, *makers], *endpoints)),
        _schema(
            "workload-leader-election",
            "leader-election",
            200,
            BY_USER,
            _rule([_group("system:serviceaccounts")], leases),
        ),
        _schema("system-node-high", "node-high", 400, BY_USER, _rule([nodes], *of_nodes)),
        _schema("system-nodes", "system", 500, BY_USER, _rule([nodes])),
        _schema("kube-controller-manager", "workload-high", 800, BY_NAMESPACE, _rule([manager])),
        _schema("kube-scheduler", "workload-high", 800, BY_NAMESPACE, _rule([scheduler])),
        _schema("kube-system-service-accounts", "workload-high", 900, BY_NAMESPACE, _rule([ours])),
        _schema("service-accounts", "workload-low", 9000, BY_USER, _rule([_group("system:serviceaccounts")])),
        _schema("global-default", "global-default", 9900, BY_USER, _rule([*map(_group, EVERYONE)])),
    ]


def _limited(shares: int, lendable: int, queues: int, hand: int, length: int) -> Json:
    queuing = {"queues": queues, "handSize": hand, "queueLengthLimit": length}
    response = {"type": "Queue", "queuing": queuing}
    limited = {"nominalConcurrencyShares": shares, "lendablePercent": lendable, "limitResponse": response}
    return {"type": "Limited", "limited": limited}


def _group(name: str) -> Json:
    return {"kind": "Group", "group": {"name": name}}


def _user(name: str) -> Json:
    return {"kind": "User", "user": {"name": name}}


def _accounts(namespace: str, name: str) -> Json:
    return {"kind": "ServiceAccount", "serviceAccount": {"namespace": namespace, "name": name}}


def _on(verbs: list[str], group: str, resources: list[str], cluster: bool = False) -> Json:
    rule: Json = {"verbs": verbs, "apiGroups": [group], "resources": resources, "namespaces": ["*"]}
    return rule | {"clusterScope": True} if cluster else rule


def _in(namespace: str, rule: Json) -> Json:
    return rule | {"namespaces": [namespace]}


def _rule(subjects: list[Json], *resources: Json) -> Json:
    """These subjects about these resources, about anything where none is named."""
    return {"subjects": subjects, "resourceRules": list(resources)} if resources else {"subjects": subjects, **ANYTHING}


def _level(name: str, spec: Json) -> Json:
    return {
        "apiVersion": API_VERSION,
        "kind": "PriorityLevelConfiguration",
        "metadata": {"name": name, "annotations": dict(AUTOUPDATE)},
        "spec": spec,
    }


def _schema(name: str, level: str, precedence: int, by: str, rule: Json) -> Json:
    spec: Json = {
        "priorityLevelConfiguration": {"name": level},
        "matchingPrecedence": precedence,
        "rules": [rule],
    }
    if by:
        spec["distinguisherMethod"] = {"type": by}
    present = {
        "type": "Dangling",
        "status": "False",
        "reason": "Found",
        "message": f'This FlowSchema references the PriorityLevelConfiguration object named "{level}" and it exists',
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "FlowSchema",
        "metadata": {"name": name, "annotations": dict(AUTOUPDATE)},
        "spec": spec,
        "status": {"conditions": [present]},
    }
