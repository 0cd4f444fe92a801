"""What a resize of a pod may change."""

from __future__ import annotations

import pytest

from kube.kinds.pod.updates import check_resize
from kube.objects import Json

FULL = {"requests": {"cpu": "100m", "memory": "1Gi"}, "limits": {"cpu": "200m", "memory": "2Gi"}}


def pod(resources: Json, **container: Json) -> Json:
    return {"spec": {"containers": [{"name": "c", "resources": resources, **container}]}}


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (FULL, []),
        ({**FULL, "requests": {"cpu": "150m", "memory": "1Gi"}}, []),
        (
            {**FULL, "limits": {"cpu": "200m"}},
            [("spec.containers[0].resources.limits", "resource limits cannot be removed")],
        ),
        (
            {**FULL, "requests": {"memory": "1Gi"}},
            [("spec.containers[0].resources.requests", "resource requests cannot be removed")],
        ),
        (
            {**FULL, "requests": FULL["limits"]},
            [("spec", "Pod QOS Class may not change as a result of resizing")],
        ),
        ({**FULL, "claims": [{"name": "gpu"}]}, [("spec", "only cpu and memory resources are mutable")]),
    ],
)
def test_a_resize(now: Json, told: list[tuple[str, str]]) -> None:
    found = check_resize(pod(now)["spec"], pod(FULL))
    assert [(error.field, next(text for _, text in told if text in str(error))) for error in found] == told
