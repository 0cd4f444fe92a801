"""storage.k8s.io/v1: classes of volumes, and what CSI drivers report of themselves, their nodes and their capacity."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube import quantity
from kube.errors import FieldError, duplicate, forbidden, invalid, required, too_long
from kube.kinds.core.volumes import check_inline_volume_spec
from kube.kinds.core.volumewarnings import label_warnings
from kube.kinds.pod.defaults import default_volume_source
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Column, Context, Kind, register
from kube.resourcelist import canonical_list
from kube.validation import (
    IMMUTABLE,
    NOT_NEGATIVE,
    check,
    check_choice,
    check_csi_driver,
    check_label_selector,
    check_not_negative,
    check_range,
    check_required,
    check_unchanged,
    dns1123_subdomain,
    qualified_name,
    repeats,
)

GROUP, DEFINITION = "storage.k8s.io", "io.k8s.api.storage.v1."
NODE_ID_LIMIT = 256
PARAMETERS_LIMIT, PARAMETER_COUNT = 256 * 1024, 512
ATTACHMENT_LIMIT, ERROR_LIMIT = 256 * 1024, 1024
SHORTEST_PERIOD = 10
_TOKENS_SHOWN = (
    "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging"
    " of tokens in volume attributes"
)
_EITHER_SOURCE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"


def check_provisioner(path: str, name: str | None) -> list[FieldError]:
    """Who makes volumes: a qualified name, in any case."""
    return check_required(path, (name or "").lower(), qualified_name)


def check_parameters(path: str, parameters: dict[str, str] | None) -> list[FieldError]:
    """What is handed to a driver: bounded in number and in bytes."""
    parameters = parameters or {}
    if len(parameters) > PARAMETER_COUNT:
        return [too_long(path, "", PARAMETER_COUNT)]
    errors = [invalid(path, key, "field can not be empty.") for key in parameters if not key]
    return errors + check_size(path, parameters, PARAMETERS_LIMIT)


def check_size(path: str, entries: dict[str, str] | None, limit: int) -> list[FieldError]:
    """Keys and values together are so many bytes at most."""
    size = sum(len(key.encode()) + len(value.encode()) for key, value in (entries or {}).items())
    return [too_long(path, "", limit)] if size > limit else []


class StorageClassStrategy(ObjectStrategy):
    namespaced = False
    whole_first = True

    def default(self, obj: Json) -> None:
        obj.setdefault("reclaimPolicy", "Delete")
        obj.setdefault("volumeBindingMode", "Immediate")

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        errors = check_provisioner("provisioner", obj.get("provisioner"))
        errors += check_parameters("parameters", obj.get("parameters"))
        errors += check_choice("reclaimPolicy", obj["reclaimPolicy"], ("", "Delete", "Retain"))
        errors += check_choice("volumeBindingMode", obj["volumeBindingMode"], ("Immediate", "WaitForFirstConsumer"))
        return errors + _check_topologies("allowedTopologies", obj.get("allowedTopologies") or [])

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return [
            e
            for name in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode")
            for e in check_unchanged(name, obj.get(name), old.get(name))
        ]

    def warnings(self, obj: Json, old: Json | None, ctx: Context) -> list[str]:
        return [
            warning
            for i, term in enumerate(obj.get("allowedTopologies") or ())
            for warning in label_warnings(
                f"allowedTopologies[{i}].matchLabelExpressions", term.get("matchLabelExpressions") or ()
            )
        ]


def _check_topologies(path: str, terms: list[Json]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[frozenset[Any]] = {frozenset()}  # a term that asks for nothing is one too many
    for i, term in enumerate(terms):
        asked: dict[str, frozenset[str]] = {}
        for j, part in enumerate(term.get("matchLabelExpressions") or ()):
            at, key, values = f"{path}[{i}].matchLabelExpressions[{j}]", part.get("key") or "", part.get("values") or []
            errors += _check_topology_values(f"{at}.values", values) + check(f"{at}.key", key, qualified_name)
            if key in asked:
                errors.append(duplicate(f"{at}.key", key))
            asked[key] = frozenset(values)
        everything = frozenset(asked.items())
        if everything in seen:
            errors.append(duplicate(f"{path}[{i}].matchLabelExpressions", ""))
        seen.add(everything)
    return errors


def _check_topology_values(path: str, values: list[str]) -> list[FieldError]:
    return [duplicate(f"{path}[{i}]", values[i]) for i in repeats(values)] if values else [required(path)]


class VolumeAttributesClassStrategy(ObjectStrategy):
    namespaced = False

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        errors = check_provisioner("driverName", obj.get("driverName"))
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
    whole_first = True
    status = True

    def default(self, obj: Json) -> None:
        if (inline := _attached(obj).get("inlineVolumeSpec")) is not None:
            canonical_list(inline.get("capacity"))
            default_volume_source(inline)

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec, source = obj.get("spec") or {}, _attached(obj)
        errors = check_csi_driver("spec.attacher", spec.get("attacher") or "")
        inline, volume = source.get("inlineVolumeSpec"), source.get("persistentVolumeName")
        if inline is None and volume is None:
            errors.append(required("spec.source", _EITHER_SOURCE))
        elif inline is not None and volume is not None:
            errors.append(forbidden("spec.source", _EITHER_SOURCE))
        elif volume == "":
            errors.append(required("spec.source.persistentVolumeName", "must specify non empty persistentVolumeName"))
        elif inline is not None:
            errors += check_inline_volume_spec(inline, "spec.source.inlineVolumeSpec")
        errors += check("spec.nodeName", spec.get("nodeName") or "", dns1123_subdomain)
        if volume is not None:
            errors += check("spec.source.persistentVolumeName", volume, dns1123_subdomain)
        return errors

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_unchanged("spec", obj.get("spec"), old.get("spec"))

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        status = obj.get("status") or {}
        errors = check_size("status.attachmentMetadata", status.get("attachmentMetadata"), ATTACHMENT_LIMIT)
        for name in ("attachError", "detachError"):
            fault = status.get(name) or {}
            if len((fault.get("message") or "").encode()) > ERROR_LIMIT:
                errors.append(too_long(f"status.{name}.message", "", ATTACHMENT_LIMIT))
            if fault.get("errorCode") is not None:
                errors += check_range(f"status.{name}.errorCode", fault["errorCode"], 0, 2**31 - 1)
        return errors


def _attached(obj: Json) -> Json:
    source: Json = (obj.get("spec") or {}).get("source") or {}
    return source


class CSIDriverStrategy(ObjectStrategy):
    namespaced = False
    whole_first = True
    # Kubernetes reports a change of the first under a name that the field does not have.
    FIXED = (("attachRequired", "attachedRequired"), ("volumeLifecycleModes", "volumeLifecycleModes"))
    NOT_YET = "preventPodSchedulingIfMissing"  # an alpha field: dropped where it is not stored already

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

    def prepare_create(self, obj: Json, ctx: Context) -> None:
        obj["spec"].pop(self.NOT_YET, None)

    def prepare_update(self, obj: Json, old: Json, ctx: Context) -> None:
        before = old.get("spec") or {}
        if before.get(self.NOT_YET) is None:
            obj["spec"].pop(self.NOT_YET, None)
        # Made without a generation; the first change of the spec gives it one.
        if obj["spec"] != before:
            obj["metadata"]["generation"] = (old["metadata"].get("generation") or 0) + 1

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj["spec"]
        errors = check_choice("spec.fsGroupPolicy", spec["fsGroupPolicy"], ("File", "None", "ReadWriteOnceWithFSType"))
        errors += _check_token_requests("spec.tokenRequests", spec.get("tokenRequests") or [])
        for mode in spec["volumeLifecycleModes"]:
            errors += check_choice("spec.volumeLifecycleModes", mode, ("Persistent", "Ephemeral"))
        period, in_secrets = spec.get("nodeAllocatableUpdatePeriodSeconds"), spec.get("serviceAccountTokenInSecrets")
        if period is not None and period < SHORTEST_PERIOD:
            message = f"must be greater than or equal to {SHORTEST_PERIOD} seconds"
            errors.append(invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, message))
        if in_secrets is not None and not spec.get("tokenRequests"):
            message = "serviceAccountTokenInSecrets is set but no tokenRequests are specified"
            errors.append(invalid("spec.serviceAccountTokenInSecrets", in_secrets, message))
        return errors

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        before = old.get("spec") or {}
        return [
            e
            for name, reported in self.FIXED
            for e in check_unchanged(f"spec.{reported}", obj["spec"].get(name), before.get(name))
        ]

    def warnings(self, obj: Json, old: Json | None, ctx: Context) -> list[str]:
        spec, before = obj["spec"], ((old or {}).get("spec") or {}).get("tokenRequests")
        asked = spec.get("tokenRequests")
        return [_TOKENS_SHOWN] if asked and asked != before and spec.get("serviceAccountTokenInSecrets") is None else []


def _check_token_requests(path: str, requests: list[Json]) -> list[FieldError]:
    errors: list[FieldError] = []
    audiences: set[str] = set()
    for i, request in enumerate(requests):
        at, audience, seconds = f"{path}[{i}]", request.get("audience") or "", request.get("expirationSeconds")
        if audience in audiences:
            errors.append(duplicate(f"{at}.audience", audience))
            continue
        audiences.add(audience)
        if seconds is not None and seconds < 600:
            errors.append(
                invalid(f"{at}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
            )
        if seconds is not None and seconds > 2**32:
            errors.append(
                invalid(f"{at}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
            )
    return errors


class CSINodeStrategy(ObjectStrategy):
    namespaced = False
    whole_first = True

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        names: set[str] = set()
        for i, driver in enumerate((obj.get("spec") or {}).get("drivers") or ()):
            path = f"spec.drivers[{i}]"
            name, node = driver.get("name") or "", driver.get("nodeID") or ""
            errors += check_csi_driver(f"{path}.name", name)
            if not node:
                errors.append(required(f"{path}.nodeID"))
            elif len(node) > NODE_ID_LIMIT:
                errors.append(invalid(f"{path}.nodeID", node, f"must be {NODE_ID_LIMIT} characters or less"))
            count = (driver.get("allocatable") or {}).get("count")
            errors += check_not_negative(f"{path}.allocatable.count", count)
            if name in names:
                errors.append(duplicate(f"{path}.name", name))
            names.add(name)
            errors += _check_topology_keys(path, driver.get("topologyKeys") or [])
        return errors

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        """A driver is removed or added; one that stays may change only what it allows to be attached."""
        before = {d.get("name"): d for d in (old.get("spec") or {}).get("drivers") or ()}
        return [
            invalid("spec.drivers", _fixed_part(driver), IMMUTABLE)
            for driver in (obj.get("spec") or {}).get("drivers") or ()
            if driver.get("name") in before and _fixed_part(driver) != _fixed_part(before[driver.get("name")])
        ]


def _check_topology_keys(path: str, keys: list[str]) -> list[FieldError]:
    errors = [duplicate(path, keys[i]) for i in repeats(keys)]
    for key in keys:
        errors += ([] if key else [required(path)]) + check(path, key, qualified_name)
    return errors


def _fixed_part(driver: Json) -> Json:
    return {name: value for name, value in driver.items() if value and name != "allocatable"}


class CSIStorageCapacityStrategy(ObjectStrategy):
    def default(self, obj: Json) -> None:
        for name in ("capacity", "maximumVolumeSize"):
            if obj.get(name) is not None:
                obj[name] = quantity.canonical(obj[name])

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        errors = check_label_selector("nodeTopology", obj.get("nodeTopology"))
        errors += check("storageClassName", obj.get("storageClassName") or "", dns1123_subdomain)
        capacity = obj.get("capacity")
        if capacity is not None and quantity.parse(capacity).nano < 0:
            errors.append(invalid("capacity", capacity, NOT_NEGATIVE))
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
