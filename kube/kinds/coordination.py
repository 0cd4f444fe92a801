"""coordination.k8s.io/v1: Lease."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.errors import FieldError, invalid
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind, register
from kube.validation import check_not_negative


class LeaseStrategy(ObjectStrategy):
    # A lease without a revision could be taken from its holder by accident.
    unconditional_update = False
    create_on_update = True

    def default(self, obj: Json) -> None:
        """What belongs to a feature that is off, as upstream by default, is left out."""
        for name in ("strategy", "preferredHolder"):
            (obj.get("spec") or {}).pop(name, None)

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj.get("spec") or {}
        errors: list[FieldError] = []
        seconds = spec.get("leaseDurationSeconds")
        if seconds is not None and seconds <= 0:
            errors.append(invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
        return errors + check_not_negative("spec.leaseTransitions", spec.get("leaseTransitions"))


def cells(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], (obj.get("spec") or {}).get("holderIdentity") or "", c.age(obj, now)]


register(
    Kind(
        "coordination.k8s.io",
        "v1",
        "Lease",
        "leases",
        strategy=LeaseStrategy(),
        definition="io.k8s.api.coordination.v1.Lease",
        cells=cells,
        columns=(c.NAME, c.column("Holder", description="The identity of the holder of the lease."), c.AGE),
    )
)
