"""Rules for pods and pod templates: the whole spec, piece by piece.

`validate_pod_template` is for workloads, `validate_pod_spec` for any spec. Paths begin at `path`, for instance `spec`
or `spec.template.spec`. Containers are in `podvalidation_containers`, volumes in `podvalidation_volumes`, scheduling
(affinity, tolerations, spread) in `podvalidation_scheduling`.
"""

from __future__ import annotations

from cluster.errors import FieldError
from cluster.kinds.metadata import validate_meta_content
from cluster.kinds.podvalidation_containers import check_all_containers
from cluster.registry import Json


def validate_pod_template(template: Json, path: str) -> list[FieldError]:
    """The `template` of a workload. Errors of its metadata stand at `path` itself, as Kubernetes reports them."""
    return validate_meta_content(template.get("metadata") or {}, path) + validate_pod_spec(
        template.get("spec") or {}, f"{path}.spec")


def validate_pod_spec(spec: Json, path: str) -> list[FieldError]:
    """A pod's spec, wherever it stands; defaults must have been filled in."""
    return check_all_containers(spec, path)
