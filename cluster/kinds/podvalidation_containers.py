"""Rules for the containers of a pod: ordinary, init and ephemeral ones."""

from __future__ import annotations

from cluster.errors import FieldError, required
from cluster.registry import Json


def check_all_containers(spec: Json, path: str) -> list[FieldError]:
    """Every container of a spec."""
    containers = spec.get("containers")
    if not containers:
        return [required(f"{path}.containers")]
    return []
