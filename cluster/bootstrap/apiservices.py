"""One APIService for each built-in group and version, as the real server registers its own."""

from __future__ import annotations

from kube.objects import Json

# Group -> (priority among groups, its versions from the preferred one on). Higher comes first in discovery.
GROUPS: dict[str, tuple[int, tuple[str, ...]]] = {
    "": (18000, ("v1",)),
    "apps": (17800, ("v1",)),
    "events.k8s.io": (17750, ("v1",)),
    "authentication.k8s.io": (17700, ("v1",)),
    "authorization.k8s.io": (17600, ("v1",)),
    "autoscaling": (17500, ("v2", "v1")),
    "batch": (17400, ("v1",)),
    "certificates.k8s.io": (17300, ("v1",)),
    "networking.k8s.io": (17200, ("v1",)),
    "policy": (17100, ("v1",)),
    "rbac.authorization.k8s.io": (17000, ("v1",)),
    "storage.k8s.io": (16800, ("v1",)),
    "admissionregistration.k8s.io": (16700, ("v1",)),
    "apiextensions.k8s.io": (16700, ("v1",)),
    "scheduling.k8s.io": (16600, ("v1",)),
    "coordination.k8s.io": (16500, ("v1",)),
    "node.k8s.io": (16300, ("v1",)),
    "discovery.k8s.io": (16200, ("v1",)),
    "resource.k8s.io": (16200, ("v1",)),
    "flowcontrol.apiserver.k8s.io": (16100, ("v1",)),
}
AUTOMANAGED = {"kube-aggregator.kubernetes.io/automanaged": "onstart"}
AVAILABLE = {
    "type": "Available",
    "status": "True",
    "reason": "Local",
    "message": "Local APIServices are always available",
}


def objects() -> list[Json]:
    return [
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": f"{version}.{group}", "labels": dict(AUTOMANAGED)},
            "spec": {
                "group": group,
                "version": version,
                "groupPriorityMinimum": minimum,
                "versionPriority": 15 - index,
            },
            "status": {"conditions": [dict(AVAILABLE)]},
        }
        for group, (minimum, versions) in GROUPS.items()
        for index, version in enumerate(versions)
    ]
