"""PersistentVolume and PersistentVolumeClaim: storage, and what asks for it."""

from __future__ import annotations

import posixpath
from typing import Any

from kube import clock
from kube import columns as c
from kube.errors import FieldError, forbidden, invalid, not_supported, required
from kube.kinds.core.base import ClusterScoped, CoreStrategy
from kube.kinds.core.volumesources import SOURCES, check_persistent_source
from kube.kinds.core.volumewarnings import CLASS_ANNOTATION, claim_warnings, volume_warnings
from kube.kinds.pod.defaults import default_claim_spec, default_volume_source
from kube.kinds.pod.validation_scheduling import check_node_selector
from kube.objects import Json
from kube.quantity import NANO
from kube.registry import Context, Kind, keep
from kube.resourcelist import canonical_list, check_amount, is_native, nano
from kube.validation import (
    IMMUTABLE,
    check,
    check_choice,
    check_required,
    check_unchanged,
    difference,
    dns1123_subdomain,
    qualified_name,
)
from kube.volumeclaims import DATA_SOURCES, VOLUME_MODES, check_access_modes, check_claim_spec

_SHORT = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_RECLAIM = ("Delete", "Recycle", "Retain")
_FIXED = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
_RENAMED = {  # labels of nodes by their old names
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
}
_RESIZES = (
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
)
_ATTRIBUTES_CLASS = "volumeAttributesClassName"
_EXPAND_SECRET = "controllerExpandSecretRef"


class PersistentVolumeStrategy(ClusterScoped):
    status = True
    whole_first = True

    def default(self, obj: Json) -> None:
        spec = obj.setdefault("spec", {})
        spec["persistentVolumeReclaimPolicy"] = spec.get("persistentVolumeReclaimPolicy") or "Retain"
        spec.setdefault("volumeMode", "Filesystem")
        canonical_list(spec.get("capacity"))
        default_volume_source(spec)
        status = obj.setdefault("status", {})
        status["phase"] = status.get("phase") or "Pending"

    def prepare_create(self, obj: Json, ctx: Context) -> None:
        obj["status"] = {"phase": "Pending", "lastPhaseTransitionTime": clock.now()}

    def prepare_status_update(self, obj: Json, old: Json, ctx: Context) -> None:
        super().prepare_status_update(obj, old, ctx)
        status, before = obj["status"], old.get("status") or {}
        if status.get("phase") != before.get("phase") and (
            status.get("lastPhaseTransitionTime") == before.get("lastPhaseTransitionTime")
        ):
            status["lastPhaseTransitionTime"] = clock.now()

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        return check_volume_spec(obj["spec"], obj["metadata"].get("name") or "", "spec")

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        new, before = obj["spec"], old["spec"]
        errors: list[FieldError] = []
        source, was = ({name: spec[name] for name in SOURCES if name in spec} for spec in (new, before))
        if (csi := was.get("csi")) and _EXPAND_SECRET not in csi and source.get("csi"):
            # It came later than the others, so a volume without it may be given one.
            source["csi"] = {key: value for key, value in source["csi"].items() if key != _EXPAND_SECRET}
        if source != was:
            errors.append(
                forbidden(
                    "spec.persistentvolumesource",
                    "spec.persistentvolumesource is immutable after creation" + difference(source, was),
                )
            )
        errors += check_unchanged("volumeMode", new.get("volumeMode"), before.get("volumeMode"))
        affinity, placed = new.get("nodeAffinity"), before.get("nodeAffinity")
        if placed is not None and not _is_same_place(affinity, placed):
            errors.append(invalid("nodeAffinity", affinity, f"{IMMUTABLE}, except for updating from beta label to GA"))
        if before.get(_ATTRIBUTES_CLASS) is not None and new.get(_ATTRIBUTES_CLASS) is None:
            errors.append(forbidden(f"spec.{_ATTRIBUTES_CLASS}", "update from non-nil value to nil is forbidden"))
        return errors

    def warnings(self, obj: Json, old: Json | None, ctx: Context) -> list[str]:
        return volume_warnings(obj)


def _is_same_place(new: Any, old: Any) -> bool:
    """Whether an affinity is the old one, but for a label that goes by its new name."""
    if isinstance(new, dict) and isinstance(old, dict):
        renamed = "operator" in old and new.get("key", "") == _RENAMED.get(old.get("key", ""), "")
        return new.keys() | {"key"} == old.keys() | {"key"} and all(
            (renamed and name == "key") or _is_same_place(new.get(name), old[name]) for name in old
        )
    if isinstance(new, list) and isinstance(old, list):
        return len(new) == len(old) and all(map(_is_same_place, new, old))
    return bool(new == old)


def check_volume_spec(spec: Json, volume: str, path: str) -> list[FieldError]:
    """The spec of the PersistentVolume of that name."""
    errors = check_access_modes(spec.get("accessModes") or [], f"{path}.accessModes", missing="")
    errors += _check_capacity(spec.get("capacity") or {}, f"{path}.capacity")
    policy = spec["persistentVolumeReclaimPolicy"]
    errors += check_choice(f"{path}.persistentVolumeReclaimPolicy", policy, _RECLAIM)
    if (affinity := spec.get("nodeAffinity")) is not None:
        errors += _check_affinity(affinity, f"{path}.nodeAffinity.required")
    errors += check_persistent_source(spec, volume, path)
    host = (spec.get("hostPath") or {}).get("path") or ""
    if policy == "Recycle" and host.startswith("/") and not posixpath.normpath(host).strip("/"):
        message = "may not be 'recycle' for a hostPath mount of '/'"
        errors.append(forbidden(f"{path}.persistentVolumeReclaimPolicy", message))
    if name := spec.get("storageClassName"):
        errors += check(f"{path}.storageClassName", name, dns1123_subdomain)
    errors += check_choice(f"{path}.volumeMode", spec["volumeMode"], VOLUME_MODES)
    return errors + _check_attributes_class(spec, path)


def check_inline_volume_spec(spec: Json, path: str) -> list[FieldError]:
    """The spec of a volume that stands in a VolumeAttachment: a CSI source, and little beside it."""
    elsewhere = "may not be specified in the context of inline volumes"
    errors = [forbidden(f"{path}.{name}", elsewhere) for name in ("claimRef", "capacity") if spec.get(name)]
    if spec.get("csi") is None:
        errors.append(required(f"{path}.csi", "has to be specified in the context of inline volumes"))
    errors += check_access_modes(spec.get("accessModes") or [], f"{path}.accessModes", missing="")
    if spec.get("persistentVolumeReclaimPolicy") not in (None, "", "Retain"):
        message = "may only be Retain in the context of inline volumes"
        errors.append(forbidden(f"{path}.persistentVolumeReclaimPolicy", message))
    if spec.get("nodeAffinity") is not None:
        errors.append(forbidden(f"{path}.nodeAffinity", elsewhere))
    errors += check_persistent_source(spec, "", path)
    if spec.get("storageClassName"):
        errors.append(forbidden(f"{path}.storageClassName", elsewhere))
    if spec.get("volumeMode") not in (None, "Filesystem"):
        message = "may not specify volumeMode other than Filesystem in the context of inline volumes"
        errors.append(forbidden(f"{path}.volumeMode", message))
    return errors + _check_attributes_class(spec, path)


def _check_capacity(capacity: Json, path: str) -> list[FieldError]:
    errors = [] if capacity else [required(path)]
    if set(capacity) != {"storage"}:
        errors.append(not_supported(path, capacity or None, ("storage",)))
    for name, amount in capacity.items():
        errors += _check_not_below_zero(f"{path}[{name}]", amount)
        if nano(amount) <= 0:
            errors.append(invalid(f"{path}[{name}]", amount, "must be greater than zero"))
    return errors


def _check_not_below_zero(path: str, amount: Any) -> list[FieldError]:
    whole = nano(amount) // NANO
    return [invalid(path, whole, "must be a valid resource quantity")] if whole < 0 else []


def _check_affinity(affinity: Json, path: str) -> list[FieldError]:
    if affinity.get("required") is None:
        return [required(path, "must specify required node constraints")]
    return check_node_selector(affinity["required"], path)


def _check_attributes_class(spec: Json, path: str) -> list[FieldError]:
    name = spec.get(_ATTRIBUTES_CLASS)
    if name is None:
        return []
    errors = check_required(f"{path}.{_ATTRIBUTES_CLASS}", name, dns1123_subdomain, "an empty string is disallowed")
    if spec.get("csi") is None:
        errors.append(required(f"{path}.csi", "has to be specified when using volumeAttributesClassName"))
    return errors


class PersistentVolumeClaimStrategy(CoreStrategy):
    status = True

    def default(self, obj: Json) -> None:
        default_claim_spec(obj.setdefault("spec", {}))
        status = obj.setdefault("status", {})
        status["phase"] = status.get("phase") or "Pending"
        canonical_list(status.get("capacity"))
        canonical_list(status.get("allocatedResources"))

    def prepare_create(self, obj: Json, ctx: Context) -> None:
        obj["status"] = {"phase": "Pending"}
        _match_data_sources(obj["spec"], {})

    def prepare_update(self, obj: Json, old: Json, ctx: Context) -> None:
        super().prepare_update(obj, old, ctx)
        _match_data_sources(obj["spec"], old["spec"])

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        return super().validate(obj, ctx) + check_claim_spec(obj["spec"], "spec")

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        new, before = dict(obj["spec"]), old["spec"]
        any_group = any((before.get(name) or {}).get("apiGroup") is not None for name in DATA_SOURCES)
        errors = check_claim_spec(obj["spec"], "spec", any_group=any_group)
        if not before.get("volumeName"):
            keep(new, before, "volumeName")
        errors += _class_change(obj, old, new)
        if _is_bound(obj):
            keep(new, before, "volumeAttributesClassName")
            resources = new.get("resources") or {}
            if resources.get("requests") is not None:
                # A bound claim may grow, and shrink back to what it really holds.
                requests = {**resources["requests"], "storage": _storage(before)}
                new["resources"] = {**resources, "requests": requests}
        if new != before:
            errors.append(forbidden("spec", _FIXED + difference(new, before)))
        wanted, held = _storage(obj["spec"]), ((old.get("status") or {}).get("capacity") or {}).get("storage", "0")
        if nano(wanted) < nano(_storage(before)) and nano(wanted) <= nano(held):
            message = "field can not be less than status.capacity"
            errors.append(forbidden("spec.resources.requests.storage", message))
        errors += check_unchanged("volumeMode", obj["spec"].get("volumeMode"), before.get("volumeMode"))
        return errors + _check_attributes_kept(obj, old)

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        status = obj.get("status") or {}
        errors: list[FieldError] = []
        for name, amount in (status.get("capacity") or {}).items():
            errors += _check_not_below_zero(f"status.capacity[{name}]", amount)
        for name, state in (status.get("allocatedResourceStatuses") or {}).items():
            errors += _check_claimed("status.allocatedResourceStatuses", name)
            if state not in _RESIZES:
                errors.append(not_supported("status.allocatedResourceStatuses", name, _RESIZES))
        for name, amount in (status.get("allocatedResources") or {}).items():
            wrong = _check_claimed("status.allocatedResources", name)
            errors += wrong or check_amount(f"status.allocatedResources[{name}]", "storage", amount)
        return errors

    def warnings(self, obj: Json, old: Json | None, ctx: Context) -> list[str]:
        return claim_warnings(obj)


def _is_bound(claim: Json) -> bool:
    return bool((claim.get("status") or {}).get("phase") == "Bound")


def _storage(spec: Json) -> Any:
    return ((spec.get("resources") or {}).get("requests") or {}).get("storage", "0")


def _match_data_sources(spec: Json, before: Json) -> None:
    """`dataSource` and `dataSourceRef` say the same where only one is given.

    What cannot be a source is dropped without a word from `dataSource`, as it ever was, unless the claim has one already.
    """
    old, new = (spec.get(name) for name in DATA_SOURCES)
    if new is None and not any(before.get(name) is not None for name in DATA_SOURCES) and not _is_old_source(old):
        spec.pop("dataSource", None)
    elif new is None and old is not None:
        spec["dataSourceRef"] = dict(old)
    elif old is None and new is not None and not new.get("namespace"):
        spec["dataSource"] = {key: value for key, value in new.items() if key != "namespace"}


def _is_old_source(source: Json | None) -> bool:
    kinds = (("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot"))
    return source is not None and (source.get("apiGroup") or "", source.get("kind")) in kinds


def _class_change(obj: Json, old: Json, new: Json) -> list[FieldError]:
    """Errors for an annotation that changed. In `new` the class becomes the old one where it may be given later."""
    was, now = (o["metadata"].get("annotations") or {} for o in (old, obj))
    wanted, annotated = new.get("storageClassName"), was.get(CLASS_ANNOTATION)
    late = old["spec"].get("storageClassName") is None and wanted is not None and annotated in (None, wanted)
    if late:
        # A claim without a class may be given one: the default class once there is one, or that of its annotation.
        new.pop("storageClassName")
    if late and annotated is not None and now.get(CLASS_ANNOTATION, annotated) == annotated:
        return []
    path = f"metadata.annotations.{CLASS_ANNOTATION}"
    return check_unchanged(path, now.get(CLASS_ANNOTATION, ""), was.get(CLASS_ANNOTATION, ""))


def _check_attributes_kept(obj: Json, old: Json) -> list[FieldError]:
    new, before = (o["spec"].get(_ATTRIBUTES_CLASS) for o in (obj, old))
    if new == before or new or (old.get("status") or {}).get("currentVolumeAttributesClassName") is None:
        return []
    what = "nil" if new is None else "empty string"
    message = f"update to {what} is forbidden when status.currentVolumeAttributesClassName is not nil"
    return [forbidden(f"spec.{_ATTRIBUTES_CLASS}", message)]


def _check_claimed(path: str, name: str) -> list[FieldError]:
    """The name of a resource that a claim can hold: storage, or one of somebody else's domain."""
    if wrong := check(path, name, qualified_name):
        return wrong
    return check_choice(path, name, ("storage",)) if is_native(name) else []


def _modes(modes: list[str] | None) -> str:
    present = set(modes or ())
    return ",".join(short for mode, short in _SHORT.items() if mode in present)


def _class(obj: Json) -> str:
    annotations = obj["metadata"].get("annotations") or {}
    return annotations.get(CLASS_ANNOTATION) or (obj.get("spec") or {}).get("storageClassName") or ""


def _phase(obj: Json) -> str:
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    phase: str = (obj.get("status") or {}).get("phase", "")
    return phase


def _volume_cells(obj: Json, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    claim = spec.get("claimRef")
    return [
        obj["metadata"]["name"],
        (spec.get("capacity") or {}).get("storage", "0"),
        _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        _phase(obj),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        _class(obj),
        spec.get("volumeAttributesClassName") or c.UNSET,
        status.get("reason", ""),
        c.age(obj, now),
        spec.get("volumeMode") or c.UNSET,
    ]


def _claim_cells(obj: Json, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    volume, capacity, modes = spec.get("volumeName", ""), "", ""
    if volume:
        capacity = (status.get("capacity") or {}).get("storage", "0")
        modes = _modes(status.get("accessModes"))
    return [
        obj["metadata"]["name"],
        _phase(obj),
        volume,
        capacity,
        modes,
        _class(obj),
        spec.get("volumeAttributesClassName") or c.UNSET,
        c.age(obj, now),
        spec.get("volumeMode") or c.UNSET,
    ]


_CLASS = c.column("StorageClass", description="The class of storage.")
_ATTRIBUTES = c.column("VolumeAttributesClass", description="The class of attributes that may be changed later.")
_MODE = c.column("VolumeMode", description="A file system, or a raw block device.", wide=True)
_MODES = c.column("Access Modes", description="How many may use it at once, and how.")

KINDS = (
    Kind(
        "",
        "v1",
        "PersistentVolume",
        "persistentvolumes",
        namespaced=False,
        short_names=("pv",),
        subresources=("status",),
        definition="io.k8s.api.core.v1.PersistentVolume",
        strategy=PersistentVolumeStrategy(),
        cells=_volume_cells,
        columns=(
            c.NAME,
            c.column("Capacity", description="How much it holds."),
            _MODES,
            c.column("Reclaim Policy", description="What becomes of it when its claim goes."),
            c.column("Status", description="Its phase."),
            c.column("Claim", description="Who holds it."),
            _CLASS,
            _ATTRIBUTES,
            c.column("Reason", description="Why it is in this phase."),
            c.AGE,
            _MODE,
        ),
    ),
    Kind(
        "",
        "v1",
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        short_names=("pvc",),
        subresources=("status",),
        definition="io.k8s.api.core.v1.PersistentVolumeClaim",
        strategy=PersistentVolumeClaimStrategy(),
        cells=_claim_cells,
        columns=(
            c.NAME,
            c.column("Status", description="Its phase."),
            c.column("Volume", description="The volume it holds."),
            c.column("Capacity", description="How much that volume holds."),
            _MODES,
            _CLASS,
            _ATTRIBUTES,
            c.AGE,
            _MODE,
        ),
    ),
)
