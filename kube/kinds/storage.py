"""storage.k8s.io/v1: classes of volumes, and what CSI drivers report of themselves, their nodes and their capacity."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube import quantity
from kube.errors import FieldError, duplicate, forbidden, invalid, required, too_long
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Column, Context, Kind, register
from kube.validation import (
    check,
    check_choice,
    check_label_selector,
    check_not_negative,
    check_required,
    check_unchanged,
    dns1123_subdomain,
    qualified_name,
)

GROUP, DEFINITION = "storage.k8s.io", "io.k8s.api.storage.v1."
DRIVER_LIMIT, NODE_ID_LIMIT = 63, 192
PARAMETERS_LIMIT = 256 * 1024


def check_driver(path: str, name: str) -> list[FieldError]:
    """The name of a CSI driver: a subdomain of 63 characters at most, in any case."""
    if not name:
        return [required(path)]
    errors = [too_long(path, name, DRIVER_LIMIT)] if len(name) > DRIVER_LIMIT else []
    return errors + check(path, name.lower(), dns1123_subdomain)


def check_parameters(path: str, parameters: dict[str, str] | None) -> list[FieldError]:
    errors = [invalid(path, key, "field can not be empty.") for key in parameters or () if not key]
    if sum(len(k) + len(v) for k, v in (parameters or {}).items()) > PARAMETERS_LIMIT:
        errors.append(too_long(path, "", PARAMETERS_LIMIT))
    return errors


class StorageClassStrategy(ObjectStrategy):
    namespaced = False

    def default(self, obj: Json) -> None:
        obj["reclaimPolicy"] = obj.get("reclaimPolicy") or "Delete"
        obj["volumeBindingMode"] = obj.get("volumeBindingMode") or "Immediate"

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        provisioner = obj.get("provisioner") or ""
        errors = check_required("provisioner", provisioner.lower(), qualified_name)
        errors += check_parameters("parameters", obj.get("parameters"))
        errors += check_choice("reclaimPolicy", obj["reclaimPolicy"], ("Delete", "Retain"))
        return errors + check_choice(
            "volumeBindingMode", obj["volumeBindingMode"], ("Immediate", "WaitForFirstConsumer")
        )

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return [
            e
            for name in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode")
            for e in check_unchanged(name, obj.get(name), old.get(name))
        ]


class VolumeAttributesClassStrategy(ObjectStrategy):
    namespaced = False

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        errors = check_driver("driverName", obj.get("driverName") or "")
        if not obj.get("parameters"):
            return [*errors, required("parameters", "must contain at least one key/value pair")]
        return errors + check_parameters("parameters", obj["parameters"])

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return [
            forbidden(name, "updates to " + name + " are forbidden.")
            for name in ("driverName", "parameters")
            if obj.get(name) != old.get(name)
        ]


class VolumeAttachmentStrategy(ObjectStrategy):
    namespaced = False
    status = True

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj.get("spec") or {}
        errors = check_driver("spec.attacher", spec.get("attacher") or "")
        source, name = spec.get("source") or {}, spec.get("nodeName") or ""
        inline, volume = source.get("inlineVolumeSpec"), source.get("persistentVolumeName")
        if inline is None and volume is None:
            errors.append(
                required("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName")
            )
        elif inline is not None and volume is not None:
            errors.append(
                invalid("spec.source", "", "must specify exactly one of inlineVolumeSpec and persistentVolumeName")
            )
        elif volume == "":
            errors.append(required("spec.source.persistentVolumeName", "must specify non empty persistentVolumeName"))
        return errors + check_required("spec.nodeName", name, dns1123_subdomain)

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return [] if obj.get("spec") == old.get("spec") else [invalid("spec", obj.get("spec"), "field is immutable")]


class CSIDriverStrategy(ObjectStrategy):
    namespaced = False
    FIXED = ("attachRequired", "fsGroupPolicy", "volumeLifecycleModes")

    def default(self, obj: Json) -> None:
        spec = obj.setdefault("spec", {})
        for name, value in (
            ("attachRequired", True),
            ("podInfoOnMount", False),
            ("storageCapacity", False),
            ("fsGroupPolicy", "ReadWriteOnceWithFSType"),
            ("requiresRepublish", False),
            ("seLinuxMount", False),
        ):
            spec.setdefault(name, value)
        if not spec.get("volumeLifecycleModes"):
            spec["volumeLifecycleModes"] = ["Persistent"]

    def prepare_update(self, obj: Json, old: Json, ctx: Context) -> None:
        # Made without a generation; the first change of the spec gives it one.
        if obj["spec"] != old.get("spec"):
            obj["metadata"]["generation"] = (old["metadata"].get("generation") or 0) + 1

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj["spec"]
        errors = check_driver("metadata.name", obj["metadata"].get("name") or "")
        errors += check_choice("spec.fsGroupPolicy", spec["fsGroupPolicy"], ("ReadWriteOnceWithFSType", "File", "None"))
        for i, mode in enumerate(spec["volumeLifecycleModes"]):
            errors += check_choice(f"spec.volumeLifecycleModes[{i}]", mode, ("Persistent", "Ephemeral"))
        audiences: set[str] = set()
        for i, request in enumerate(spec.get("tokenRequests") or ()):
            path = f"spec.tokenRequests[{i}]"
            audience, seconds = request.get("audience", ""), request.get("expirationSeconds")
            if audience in audiences:
                errors.append(duplicate(f"{path}.audience", audience))
            audiences.add(audience)
            if seconds is not None and seconds < 600:
                errors.append(
                    invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
                )
            if seconds is not None and seconds > 2**32:
                errors.append(
                    invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 s")
                )
        return errors

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return [
            e
            for name in self.FIXED
            for e in check_unchanged(f"spec.{name}", obj["spec"].get(name), (old.get("spec") or {}).get(name))
        ]


class CSINodeStrategy(ObjectStrategy):
    namespaced = False

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        names: set[str] = set()
        for i, driver in enumerate((obj.get("spec") or {}).get("drivers") or ()):
            path = f"spec.drivers[{i}]"
            name, node = driver.get("name") or "", driver.get("nodeID") or ""
            errors += check_driver(f"{path}.name", name)
            if name in names:
                errors.append(duplicate(f"{path}.name", name))
            names.add(name)
            if not node:
                errors.append(required(f"{path}.nodeID"))
            elif len(node) > NODE_ID_LIMIT:
                errors.append(invalid(f"{path}.nodeID", node, f"must be {NODE_ID_LIMIT} characters or less"))
            for key in driver.get("topologyKeys") or ():
                errors += check_required(path, key, qualified_name)
            count = (driver.get("allocatable") or {}).get("count")
            errors += check_not_negative(f"{path}.allocatable.count", count)
        return errors

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        """A driver is removed or added; one that stays may change only what it allows to be attached."""
        before = {d.get("name"): d for d in (old.get("spec") or {}).get("drivers") or ()}
        return [
            invalid(f"spec.drivers[{i}]", driver, "field is immutable")
            for i, driver in enumerate((obj.get("spec") or {}).get("drivers") or ())
            if driver.get("name") in before and _identity(driver) != _identity(before[driver.get("name")])
        ]


def _identity(driver: Json) -> tuple[Any, ...]:
    return driver.get("nodeID"), driver.get("topologyKeys") or []


class CSIStorageCapacityStrategy(ObjectStrategy):
    def default(self, obj: Json) -> None:
        for name in ("capacity", "maximumVolumeSize"):
            if obj.get(name) is not None:
                obj[name] = quantity.canonical(obj[name])

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        errors = check("storageClassName", obj.get("storageClassName") or "", dns1123_subdomain)
        errors += check_label_selector("nodeTopology", obj.get("nodeTopology"))
        for name in ("capacity", "maximumVolumeSize"):
            if obj.get(name) is not None:
                errors += check_not_negative(name, quantity.parse(obj[name]).nano)
        return errors

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return [
            e
            for name in ("nodeTopology", "storageClassName")
            for e in check_unchanged(name, obj.get(name), old.get(name))
        ]


def class_cells(obj: Json, now: float) -> list[Any]:
    annotations = obj["metadata"].get("annotations") or {}
    default = any(
        annotations.get(f"storageclass.{prefix}kubernetes.io/is-default-class") == "true" for prefix in ("", "beta.")
    )
    return [
        obj["metadata"]["name"] + (" (default)" if default else ""),
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy") or "Delete",
        obj.get("volumeBindingMode") or c.UNSET,
        bool(obj.get("allowVolumeExpansion")),
        c.age(obj, now),
    ]


def attachment_cells(obj: Json, now: float) -> list[Any]:
    spec = obj.get("spec") or {}
    return [
        obj["metadata"]["name"],
        spec.get("attacher", ""),
        (spec.get("source") or {}).get("persistentVolumeName") or "",
        spec.get("nodeName", ""),
        bool((obj.get("status") or {}).get("attached")),
        c.age(obj, now),
    ]


def driver_cells(obj: Json, now: float) -> list[Any]:
    spec = obj.get("spec") or {}
    audiences = ",".join(r.get("audience", "") for r in spec.get("tokenRequests") or ())
    return [
        obj["metadata"]["name"],
        bool(spec.get("attachRequired", True)),
        bool(spec.get("podInfoOnMount")),
        bool(spec.get("storageCapacity")),
        audiences or c.UNSET,
        bool(spec.get("requiresRepublish")),
        ",".join(spec.get("volumeLifecycleModes") or ()),
        c.age(obj, now),
    ]


def node_cells(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], len((obj.get("spec") or {}).get("drivers") or ()), c.age(obj, now)]


def attributes_cells(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], obj.get("driverName", ""), c.age(obj, now)]


register(
    Kind(
        GROUP,
        "v1",
        "CSIDriver",
        "csidrivers",
        namespaced=False,
        strategy=CSIDriverStrategy(),
        definition=DEFINITION + "CSIDriver",
        cells=driver_cells,
        columns=(
            c.NAME,
            c.column("AttachRequired", "boolean", "Whether volumes are attached before they are mounted."),
            c.column("PodInfoOnMount", "boolean", "Whether the driver is told of the pod when it mounts."),
            c.column("StorageCapacity", "boolean", "Whether the scheduler considers the capacity it reports."),
            c.column("TokenRequests", description="Audiences of the service account tokens that it needs."),
            c.column("RequiresRepublish", "boolean", "Whether mounted volumes are published again and again."),
            c.column("Modes", description="Kinds of volumes that the driver supports."),
            c.AGE,
        ),
    ),
    Kind(
        GROUP,
        "v1",
        "CSINode",
        "csinodes",
        namespaced=False,
        strategy=CSINodeStrategy(),
        definition=DEFINITION + "CSINode",
        cells=node_cells,
        columns=(c.NAME, c.column("Drivers", "integer", "Number of drivers on the node."), c.AGE),
    ),
    Kind(
        GROUP,
        "v1",
        "CSIStorageCapacity",
        "csistoragecapacities",
        strategy=CSIStorageCapacityStrategy(),
        definition=DEFINITION + "CSIStorageCapacity",
    ),
    Kind(
        GROUP,
        "v1",
        "StorageClass",
        "storageclasses",
        namespaced=False,
        short_names=("sc",),
        strategy=StorageClassStrategy(),
        definition=DEFINITION + "StorageClass",
        cells=class_cells,
        columns=(
            c.NAME,
            c.column("Provisioner", description="The type of the provisioner."),
            c.column("ReclaimPolicy", description="What becomes of a volume that is released."),
            c.column("VolumeBindingMode", description="When claims are provisioned and bound."),
            c.column("AllowVolumeExpansion", description="Whether volumes may grow."),
            c.AGE,
        ),
    ),
    Kind(
        GROUP,
        "v1",
        "VolumeAttachment",
        "volumeattachments",
        namespaced=False,
        subresources=("status",),
        strategy=VolumeAttachmentStrategy(),
        definition=DEFINITION + "VolumeAttachment",
        cells=attachment_cells,
        columns=(
            c.NAME,
            Column("Attacher", "string", "name", "The driver that must handle this request."),
            c.column("PV", description="Name of the persistent volume to attach."),
            c.column("Node", description="The node that the volume should be attached to."),
            c.column("Attached", "boolean", "Whether the volume is attached."),
            c.AGE,
        ),
    ),
    Kind(
        GROUP,
        "v1",
        "VolumeAttributesClass",
        "volumeattributesclasses",
        namespaced=False,
        short_names=("vac",),
        strategy=VolumeAttributesClassStrategy(),
        definition=DEFINITION + "VolumeAttributesClass",
        cells=attributes_cells,
        columns=(c.NAME, c.column("DriverName", description="Name of the CSI driver."), c.AGE),
    ),
)
