"""Objects to render, and the samples that come of them."""

from __future__ import annotations

import re
from typing import Any

from kube.objects import Json
from monitoring.objects import RESOURCES

_OWN = re.compile(r'(?<=[{,])(?:namespace="shop"|uid="u-1")(?:,|(?=}))')
AT, SECONDS = "2026-01-01T00:00:00Z", 1767225600


def samples(plural: str, obj: Json) -> set[str]:
    """All samples of an object, `name{labels} value`; the labels that name the object are left out."""
    families = next(each for each in RESOURCES if each.plural == plural)
    failed, pieces = families.failed, families.render(obj)
    assert families.failed == failed, "each family could be rendered"
    text = b"".join(pieces).decode()
    return {_OWN.sub("", line).replace(",}", "}", 1) for line in text.splitlines()}


def meta(name: str, **more: Any) -> Json:
    return {"name": name, "namespace": "shop", "uid": "u-1", "creationTimestamp": AT, "generation": 3, **more}


def controlled_by(kind: str, name: str) -> list[Json]:
    return [{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "o", "controller": True}]


def pod(**status: Any) -> Json:
    conditions = [{"type": kind, "status": "True", "lastTransitionTime": AT} for kind in ("PodScheduled", "Ready")]
    return {
        "metadata": meta("web", ownerReferences=controlled_by("ReplicaSet", "web-7d")),
        "spec": {
            "nodeName": "n1",
            "restartPolicy": "Always",
            "serviceAccountName": "default",
            "schedulerName": "default-scheduler",
            "priorityClassName": "high",
            "containers": [
                {
                    "name": "app",
                    "image": "web:1",
                    "resources": {
                        "requests": {"cpu": "250m", "memory": "64Mi", "example.com/gpu": "1"},
                        "limits": {"cpu": "1"},
                    },
                }
            ],
            "initContainers": [{"name": "init", "image": "init:1", "restartPolicy": "Always"}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "c", "readOnly": True}}],
        },
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.5",
            "podIPs": [{"ip": "10.0.0.5"}],
            "hostIP": "10.0.0.1",
            "qosClass": "Burstable",
            "startTime": AT,
            "conditions": conditions,
            "containerStatuses": [container()],
            **status,
        },
    }


def container(**more: Any) -> Json:
    return {
        "name": "app",
        "image": "web:1",
        "imageID": "sha256:1",
        "containerID": "process://1",
        "ready": True,
        "restartCount": 4,
        "state": {"running": {"startedAt": AT}},
        "lastState": {},
        **more,
    }
