"""PersistentVolume and PersistentVolumeClaim: storage, and what asks for it."""

from __future__ import annotations

from typing import Any

from kube import clock
from kube import columns as c
from kube.errors import FieldError, forbidden, invalid, not_supported, required
from kube.kinds.core.base import ClusterScoped, CoreStrategy
from kube.kinds.pod.defaults import default_claim_spec, default_volume_source
from kube.kinds.pod.validation_scheduling import check_node_selector
from kube.kinds.pod.validation_volumes import KNOWN_SOURCES, check_volume_source
from kube.objects import Json
from kube.registry import Context, Kind, keep
from kube.resourcelist import canonical_list, nano
from kube.validation import check, check_choice, check_unchanged, difference, dns1123_subdomain
from kube.volumeclaims import VOLUME_MODES, check_access_modes, check_claim_spec

_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_SHORT = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_RECLAIM = ("Delete", "Recycle", "Retain")
_FIXED = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
_ONLY_IN_PODS = frozenset(
    (
        "emptyDir",
        "secret",
        "configMap",
        "downwardAPI",
        "projected",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "gitRepo",
    )
)
SOURCES = (KNOWN_SOURCES | {"local"}) - _ONLY_IN_PODS


class PersistentVolumeStrategy(ClusterScoped):
    status = True

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
        spec = obj["spec"]
        errors = check_access_modes(spec.get("accessModes") or [], "spec.accessModes")
        capacity = spec.get("capacity") or {}
        if not capacity:
            errors.append(required("spec.capacity"))
        elif set(capacity) != {"storage"}:
            errors.append(not_supported("spec.capacity", capacity, ("storage",)))
        elif nano(capacity["storage"]) <= 0:
            errors.append(invalid("spec.capacity[storage]", capacity["storage"], "must be greater than zero"))
        errors += check_choice("spec.persistentVolumeReclaimPolicy", spec["persistentVolumeReclaimPolicy"], _RECLAIM)
        errors += _check_source(spec)
        if (affinity := spec.get("nodeAffinity")) is not None:
            path = "spec.nodeAffinity.required"
            if affinity.get("required") is None:
                errors.append(required(path, "must specify required node constraints"))
            else:
                errors += check_node_selector(affinity["required"], path)
        if name := spec.get("storageClassName"):
            errors += check("spec.storageClassName", name, dns1123_subdomain)
        return errors + check_choice("spec.volumeMode", spec["volumeMode"], VOLUME_MODES)

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        new, before = obj["spec"], old["spec"]
        errors: list[FieldError] = []
        source, was = ({name: spec[name] for name in SOURCES if name in spec} for spec in (new, before))
        if source != was:
            errors.append(
                forbidden(
                    "spec.persistentvolumesource",
                    "spec.persistentvolumesource is immutable after creation" + difference(source, was),
                )
            )
        errors += check_unchanged("volumeMode", new.get("volumeMode"), before.get("volumeMode"))
        if before.get("nodeAffinity") is not None:
            errors += check_unchanged("nodeAffinity", new.get("nodeAffinity"), before["nodeAffinity"])
        return errors


def _check_source(spec: Json) -> list[FieldError]:
    local, host = spec.get("local"), spec.get("hostPath")
    given = {name: spec[name] for name in SOURCES if spec.get(name) is not None and name != "local"}
    if local is not None:
        errors = [forbidden("spec.local", "may not specify more than 1 volume type")] if given else []
        if not local.get("path"):
            errors.append(required("spec.local.path"))
        if not spec.get("nodeAffinity"):
            errors.append(required("spec.nodeAffinity", "Local volume requires node affinity"))
        return errors
    errors = check_volume_source(given, "spec")
    if host and host.get("path") == "/" and spec["persistentVolumeReclaimPolicy"] == "Recycle":
        errors.append(
            forbidden("spec.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'")
        )
    csi = spec.get("csi")
    if csi is not None and not csi.get("volumeHandle"):
        errors.append(required("spec.csi.volumeHandle"))
    return errors


class PersistentVolumeClaimStrategy(CoreStrategy):
    status = True

    def default(self, obj: Json) -> None:
        spec = obj.setdefault("spec", {})
        default_claim_spec(spec)
        if spec.get("dataSource") and not spec.get("dataSourceRef"):
            spec["dataSourceRef"] = dict(spec["dataSource"])
        status = obj.setdefault("status", {})
        status["phase"] = status.get("phase") or "Pending"
        canonical_list(status.get("capacity"))
        canonical_list(status.get("allocatedResources"))

    def prepare_create(self, obj: Json, ctx: Context) -> None:
        obj["status"] = {"phase": "Pending"}

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        return check_claim_spec(obj["spec"], "spec")

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        new, before = dict(obj["spec"]), old["spec"]
        bound = (old.get("status") or {}).get("phase") == "Bound"
        if not before.get("volumeName"):
            keep(new, before, "volumeName")
        if bound:
            keep(new, before, "volumeAttributesClassName")
            new["resources"] = {**new["resources"], "requests": (before.get("resources") or {}).get("requests")}
        annotated = _CLASS_ANNOTATION in (old["metadata"].get("annotations") or {})
        if before.get("storageClassName") is None and not annotated:
            # A claim without a class may be given one later: the default class, once there is one.
            keep(new, before, "storageClassName")
        if new != before:
            return [forbidden("spec", _FIXED + difference(new, before))]
        if not bound:
            return []
        # A bound claim may grow, and shrink back to what it really holds.
        wanted = ((obj["spec"].get("resources") or {}).get("requests") or {}).get("storage")
        asked = ((before.get("resources") or {}).get("requests") or {}).get("storage")
        held = ((old.get("status") or {}).get("capacity") or {}).get("storage")
        if wanted is None or asked is None or nano(wanted) >= nano(asked):
            return []
        if held is not None and nano(wanted) > nano(held):
            return []
        return [forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")]


def _modes(modes: list[str] | None) -> str:
    present = set(modes or ())
    return ",".join(short for mode, short in _SHORT.items() if mode in present)


def _class(obj: Json) -> str:
    annotations = obj["metadata"].get("annotations") or {}
    return annotations.get(_CLASS_ANNOTATION) or (obj.get("spec") or {}).get("storageClassName") or ""


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
