"""kube_persistentvolume_*, kube_persistentvolumeclaim_*, kube_storageclass_*"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kube import quantity
from kube.objects import Json
from monitoring.objects.families import Families, Sample, conditions, find, one_of
from monitoring.objects.selection import labels, written

VOLUMES = Families("v1", "persistentvolumes", persistentvolume="name")
CLAIMS = Families("v1", "persistentvolumeclaims", namespace="namespace", persistentvolumeclaim="name")
ATTACHMENTS = Families("storage.k8s.io/v1", "volumeattachments", volumeattachment="name")
CLASSES = Families("storage.k8s.io/v1", "storageclasses", storageclass="name")
OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
SOURCES = {
    "gce_persistent_disk_name": ("gcePersistentDisk", "pdName"),
    "host_path": ("hostPath", "path"),
    "host_path_type": ("hostPath", "type"),
    "ebs_volume_id": ("awsElasticBlockStore", "volumeID"),
    "azure_disk_name": ("azureDisk", "diskName"),
    "fc_lun": ("fc", "lun"),
    "iscsi_target_portal": ("iscsi", "targetPortal"),
    "iscsi_iqn": ("iscsi", "iqn"),
    "iscsi_lun": ("iscsi", "lun"),
    "iscsi_initiator_name": ("iscsi", "initiatorName"),
    "nfs_server": ("nfs", "server"),
    "nfs_path": ("nfs", "path"),
    "csi_driver": ("csi", "driver"),
    "csi_volume_handle": ("csi", "volumeHandle"),
    "local_path": ("local", "path"),
    "local_fs": ("local", "fsType"),
}

VOLUMES.lifetime("kube_persistentvolume")
VOLUMES.selectable("kube_persistentvolume")


@VOLUMES.gauge("kube_persistentvolume_info", "Information about persistentvolume.")
def info(volume: Json) -> Iterable[Sample]:
    spec = volume["spec"]
    found = {label: "" if (value := find(spec, *path)) is None else str(value) for label, path in SOURCES.items()}
    fibre = {
        f"fc_{name}": ",".join(find(spec, "fc", key) or ())
        for name, key in (("wwids", "wwids"), ("target_wwns", "targetWWNs"))
    }
    return (
        (
            labels(
                storageclass=spec.get("storageClassName"),
                **found,
                **fibre,
                reclaim_policy=spec.get("persistentVolumeReclaimPolicy"),
            ),
            1,
        ),
    )


@VOLUMES.gauge("kube_persistentvolume_capacity_bytes", "Persistentvolume capacity in bytes.")
def capacity(volume: Json) -> Iterable[Sample]:
    return (("", quantity.units(find(volume, "spec", "capacity", "storage") or "0")),)


@VOLUMES.gauge("kube_persistentvolume_status_phase", "In which phase a volume is.")
def volume_phase(volume: Json) -> Iterable[Sample]:
    phase = find(volume, "status", "phase")
    return one_of("phase", phase, ("Pending", "Available", "Bound", "Released", "Failed")) if phase else ()


@VOLUMES.gauge("kube_persistentvolume_claim_ref", "Information about the claim that a volume is bound to.")
def claim_ref(volume: Json) -> Iterable[Sample]:
    claim = volume["spec"].get("claimRef")
    return ((labels(name=claim.get("name"), claim_namespace=claim.get("namespace")), 1),) if claim else ()


@VOLUMES.gauge("kube_persistentvolume_access_mode", "The access mode(s) specified by the persistent volume.")
def volume_access(volume: Json) -> Iterator[Sample]:
    return ((labels(access_mode=mode), 1) for mode in volume["spec"].get("accessModes") or ())


@VOLUMES.gauge("kube_persistentvolume_volume_mode", "Volume mode of the volume.")
def volume_mode(volume: Json) -> Iterable[Sample]:
    return ((labels(volumemode=volume["spec"].get("volumeMode", "Filesystem")), 1),)


CLAIMS.lifetime("kube_persistentvolumeclaim")
CLAIMS.selectable("kube_persistentvolumeclaim")


@CLAIMS.gauge("kube_persistentvolumeclaim_info", "Information about persistent volume claim.")
def claim_info(claim: Json) -> Iterable[Sample]:
    spec, named = claim["spec"], (claim["metadata"].get("annotations") or {}).get(OLD_CLASS)
    return (
        (
            labels(
                storageclass=spec.get("storageClassName") if named is None else named,
                volumename=spec.get("volumeName"),
                volumemode=spec.get("volumeMode"),
            ),
            1,
        ),
    )


@CLAIMS.gauge("kube_persistentvolumeclaim_status_phase", "In which phase a claim is.")
def claim_phase(claim: Json) -> Iterable[Sample]:
    phase = find(claim, "status", "phase")
    return one_of("phase", phase, ("Lost", "Bound", "Pending")) if phase else ()


@CLAIMS.gauge("kube_persistentvolumeclaim_resource_requests_storage_bytes", "The capacity requested by the claim.")
def requested(claim: Json) -> Iterable[Sample]:
    value = find(claim, "spec", "resources", "requests", "storage")
    return () if value is None else (("", quantity.units(value)),)


@CLAIMS.gauge("kube_persistentvolumeclaim_access_mode", "The access modes specified by the claim.")
def access_mode(claim: Json) -> Iterator[Sample]:
    return ((labels(access_mode=mode), 1) for mode in claim["spec"].get("accessModes") or ())


CLAIMS.add("kube_persistentvolumeclaim_status_condition", "Conditions of the claim.", conditions)
CLASSES.created("kube_storageclass")


@CLASSES.gauge("kube_storageclass_info", "Information about storageclass.")
def class_info(storage: Json) -> Iterable[Sample]:
    return (
        (
            labels(
                provisioner=storage.get("provisioner"),
                reclaim_policy=storage.get("reclaimPolicy", "Delete"),
                volume_binding_mode=storage.get("volumeBindingMode", "Immediate"),
            ),
            1,
        ),
    )


CLASSES.selectable("kube_storageclass")

ATTACHMENTS.created("kube_volumeattachment")


@ATTACHMENTS.gauge("kube_volumeattachment_info", "Information about volumeattachment.")
def attachment(obj: Json) -> Iterable[Sample]:
    return ((labels(attacher=obj["spec"].get("attacher"), node=obj["spec"].get("nodeName")), 1),)


@ATTACHMENTS.gauge("kube_volumeattachment_labels", "Kubernetes labels converted to Prometheus labels.")
def attachment_labels(obj: Json) -> Iterable[Sample]:
    return ((written(obj["metadata"].get("labels") or {}, "label"), 1),)


@ATTACHMENTS.gauge("kube_volumeattachment_spec_source_persistentvolume", "PersistentVolume source reference.")
def attached_volume(obj: Json) -> Iterable[Sample]:
    name = find(obj, "spec", "source", "persistentVolumeName")
    return () if name is None else ((labels(volumename=name), 1),)


ATTACHMENTS.field("kube_volumeattachment_status_attached", "Whether it is attached.", "status", "attached", missing=0)


@ATTACHMENTS.gauge("kube_volumeattachment_status_attachment_metadata", "What the attacher says of it.")
def attachment_metadata(obj: Json) -> Iterable[Sample]:
    return ((written(find(obj, "status", "attachmentMetadata") or {}, "metadata"), 1),)
