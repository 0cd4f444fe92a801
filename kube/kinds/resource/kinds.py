"""The four kinds: defaults, what runs when, and printer columns. The rules are in `claims` and `slices`."""

from __future__ import annotations

from typing import Any

from kube import clock, selectors
from kube import columns as c
from kube.errors import FieldError, invalid
from kube.kinds.resource.claims import (
    MAX_CONFIGS,
    check_admin_access,
    check_claim_spec,
    check_claim_status,
    check_selectors,
    default_requests,
)
from kube.kinds.resource.devices import check_configuration, check_list
from kube.kinds.resource.slices import check_slice_spec
from kube.objectmeta import ObjectStrategy, validate_meta_content
from kube.objects import Json
from kube.registry import Context, Kind
from kube.resourcelist import is_extended
from kube.validation import check_unchanged

GROUP, DEFINITION = "resource.k8s.io", "io.k8s.api.resource.v1."


class ResourceClaimStrategy(ObjectStrategy):
    status = True

    def default(self, obj: Json) -> None:
        default_requests(obj.setdefault("spec", {}))

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        errors = check_admin_access(obj["spec"], obj["metadata"].get("namespace", ""), ctx)
        return errors + super().validate(obj, ctx) + check_claim_spec(obj["spec"], "spec")

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_unchanged("spec", obj["spec"], old["spec"])

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_claim_status(obj, old, ctx)


class ResourceClaimTemplateStrategy(ObjectStrategy):
    def default(self, obj: Json) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("metadata", {})
        default_requests(spec.setdefault("spec", {}))

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj["spec"]
        errors = check_admin_access(spec["spec"], obj["metadata"].get("namespace", ""), ctx)
        errors += super().validate(obj, ctx) + validate_meta_content(spec["metadata"], "spec.metadata")
        return errors + check_claim_spec(spec["spec"], "spec.spec")

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_unchanged("spec", obj["spec"], old["spec"])


class DeviceClassStrategy(ObjectStrategy):
    namespaced = False
    generation = True

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj.get("spec") or {}
        errors = check_selectors(spec.get("selectors") or [], "spec.selectors")
        errors += check_list("spec.config", spec.get("config") or [], MAX_CONFIGS, check_configuration)
        name = spec.get("extendedResourceName")
        if name is not None and not is_extended(name):
            errors.append(invalid("spec.extendedResourceName", name, "must be a valid extended resource name"))
        return errors


class ResourceSliceStrategy(ObjectStrategy):
    namespaced = False
    generation = True

    def default(self, obj: Json) -> None:
        for device in (obj.get("spec") or {}).get("devices") or ():
            for taint in device.get("taints") or ():
                taint["timeAdded"] = taint.get("timeAdded") or clock.now()

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        return super().validate(obj, ctx) + check_slice_spec(obj.get("spec") or {}, {})

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_slice_spec(obj.get("spec") or {}, old.get("spec") or {})


def claim_cells(obj: Json, now: float) -> list[Any]:
    status = obj.get("status") or {}
    states = ["deleted"] if obj["metadata"].get("deletionTimestamp") else []
    if status.get("allocation") is None:
        states += [] if states else ["pending"]
    else:
        states += ["allocated", *(["reserved"] if status.get("reservedFor") else [])]
    return [obj["metadata"]["name"], ",".join(states), c.age(obj, now)]


def named_cells(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], c.age(obj, now)]


def slice_cells(obj: Json, now: float) -> list[Any]:
    spec = obj.get("spec") or {}
    node = spec.get("nodeName") or (
        c.selector(None) if spec.get("nodeSelector") else "<all>" if spec.get("allNodes") else c.UNSET
    )
    return [
        obj["metadata"]["name"],
        node,
        spec.get("driver", ""),
        (spec.get("pool") or {}).get("name", ""),
        c.age(obj, now),
    ]


KINDS = (
    Kind(
        GROUP,
        "v1",
        "DeviceClass",
        "deviceclasses",
        namespaced=False,
        strategy=DeviceClassStrategy(),
        definition=DEFINITION + "DeviceClass",
        columns=(c.NAME, c.AGE),
        cells=named_cells,
    ),
    Kind(
        GROUP,
        "v1",
        "ResourceClaim",
        "resourceclaims",
        subresources=("status",),
        strategy=ResourceClaimStrategy(),
        definition=DEFINITION + "ResourceClaim",
        cells=claim_cells,
        columns=(c.NAME, c.column("State", description="Whether devices are allocated, and reserved."), c.AGE),
    ),
    Kind(
        GROUP,
        "v1",
        "ResourceClaimTemplate",
        "resourceclaimtemplates",
        strategy=ResourceClaimTemplateStrategy(),
        definition=DEFINITION + "ResourceClaimTemplate",
        columns=(c.NAME, c.AGE),
        cells=named_cells,
    ),
    Kind(
        GROUP,
        "v1",
        "ResourceSlice",
        "resourceslices",
        namespaced=False,
        strategy=ResourceSliceStrategy(),
        definition=DEFINITION + "ResourceSlice",
        cells=slice_cells,
        fields={"spec.nodeName": selectors.field("spec", "nodeName"), "spec.driver": selectors.field("spec", "driver")},
        columns=(
            c.NAME,
            c.column("Node", description="The node that the devices are on."),
            c.column("Driver", description="The driver that manages them."),
            c.column("Pool", description="The pool that they belong to."),
            c.AGE,
        ),
    ),
)
