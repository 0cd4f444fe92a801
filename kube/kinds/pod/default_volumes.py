"""Defaults of the volumes of a pod, one function per source that has any."""

from __future__ import annotations

from collections.abc import Callable

from kube import quantity
from kube.objects import Json
from kube.resourcelist import canonical_list

FILE_MODE = 0o644


def default_volume(volume: Json) -> None:
    """Defaults of one volume; a volume without a source is an emptyDir."""
    if len(volume) < 2:
        volume["emptyDir"] = {}
    default_volume_source(volume)


def default_volume_source(holder: Json) -> None:
    """Defaults of the source that stands in `holder`: a pod's volume, or the spec of a PersistentVolume."""
    for name, source in holder.items():
        if name in _SOURCES and source is not None:
            _SOURCES[name](source)


def default_claim_spec(spec: Json) -> None:
    """Defaults of the spec of a PersistentVolumeClaim."""
    spec.setdefault("volumeMode", "Filesystem")
    resources = spec.setdefault("resources", {})
    canonical_list(resources.get("requests"))
    canonical_list(resources.get("limits"))


def _mode(source: Json) -> None:
    source.setdefault("defaultMode", FILE_MODE)


def _empty_dir(source: Json) -> None:
    if source.get("sizeLimit") is not None:
        source["sizeLimit"] = quantity.canonical(source["sizeLimit"])


def _downward_items(source: Json) -> None:
    for item in source.get("items") or ():
        if (reference := item.get("fieldRef")) is not None:
            reference["apiVersion"] = reference.get("apiVersion") or "v1"
        if (reference := item.get("resourceFieldRef")) is not None:
            reference["divisor"] = quantity.canonical(reference.get("divisor") or "0")


def _downward(source: Json) -> None:
    _mode(source)
    _downward_items(source)


def _projected(source: Json) -> None:
    _mode(source)
    for part in source.get("sources") or ():
        if (token := part.get("serviceAccountToken")) is not None:
            token.setdefault("expirationSeconds", 3600)
        if downward := part.get("downwardAPI"):
            _downward_items(downward)


def _host_path(source: Json) -> None:
    source.setdefault("type", "")


def _iscsi(source: Json) -> None:
    source["iscsiInterface"] = source.get("iscsiInterface") or "default"


def _rbd(source: Json) -> None:
    source["pool"] = source.get("pool") or "rbd"
    source["user"] = source.get("user") or "admin"
    source["keyring"] = source.get("keyring") or "/etc/ceph/keyring"


def _azure_disk(source: Json) -> None:
    for name, value in (("cachingMode", "ReadWrite"), ("kind", "Shared"), ("fsType", "ext4"), ("readOnly", False)):
        source.setdefault(name, value)


def _scale_io(source: Json) -> None:
    source["storageMode"] = source.get("storageMode") or "ThinProvisioned"
    source["fsType"] = source.get("fsType") or "xfs"


def _ephemeral(source: Json) -> None:
    if (template := source.get("volumeClaimTemplate")) is not None:
        template.setdefault("metadata", {})
        default_claim_spec(template.setdefault("spec", {}))


def _image(source: Json) -> None:
    from kube.kinds.pod.defaults import pull_policy

    source["pullPolicy"] = source.get("pullPolicy") or pull_policy(source.get("reference") or "")


_SOURCES: dict[str, Callable[[Json], None]] = {
    "emptyDir": _empty_dir,
    "secret": _mode,
    "configMap": _mode,
    "downwardAPI": _downward,
    "projected": _projected,
    "hostPath": _host_path,
    "iscsi": _iscsi,
    "rbd": _rbd,
    "azureDisk": _azure_disk,
    "scaleIO": _scale_io,
    "ephemeral": _ephemeral,
    "image": _image,
}
