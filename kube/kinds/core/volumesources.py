"""Rules for the source of a PersistentVolume. A pod's volumes have others: there, secrets are named without a namespace."""

from __future__ import annotations

import re
from collections.abc import Callable

from kube.errors import FieldError, forbidden, invalid, not_supported, required
from kube.kinds.pod.validation_mounts import check_no_parent
from kube.kinds.pod.validation_volumes import HOST_PATH_TYPES, REQUIRED
from kube.objects import Json
from kube.validation import (
    check,
    check_choice,
    check_csi_driver,
    check_range,
    check_required,
    dns1123_label,
    dns1123_subdomain,
    host_port,
)

# The order decides which of several sources is reported as one too many.
_ORDER = (
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
)
SOURCES = frozenset(_ORDER)
_REQUIRED = {**REQUIRED, "quobyte": (), "local": ("path",)}
_ONE_TOO_MANY = "may not specify more than 1 volume type"
_SPELLED = {"gcePersistentDisk": "persistentDisk"}  # how Kubernetes spells a source in the paths of its faults
_SPELLED_TOO_MANY = {"cephfs": "cephFS"}
_ISCSI_NAME = {
    "iqn": re.compile(r"iqn\.\d{4}-\d{2}\.[a-z0-9.-]+:[^,;*&$|\s]+", re.ASCII | re.IGNORECASE),
    "eui": re.compile(r"eui.[A-Za-z0-9]{16}"),
    "naa": re.compile(r"naa.[A-Za-z0-9]{32}"),
}
_ISCSI_LIMIT = 64
_AZURE_CACHING = ("None", "ReadOnly", "ReadWrite")
_AZURE_KINDS = ("Dedicated", "Managed", "Shared")
_AZURE_MANAGED = (
    "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
    "/subscriptions/",
)
_AZURE_BLOB = ("https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd", "https://")
_TENANT_LIMIT = 64
_HOST_PORTS = "must be a host:port pair or multiple pairs separated by commas"
_CSI_SECRETS = (
    "controllerPublishSecretRef",
    "controllerExpandSecretRef",
    "nodePublishSecretRef",
    "nodeExpandSecretRef",
)


def check_persistent_source(spec: Json, volume: str, path: str) -> list[FieldError]:
    """Exactly one source in the spec of the volume of that name, and what holds for it."""
    errors: list[FieldError] = []
    given = [name for name in _ORDER if spec.get(name) is not None]
    if not given:
        return [required(path, "must specify a volume type")]
    for i, name in enumerate(given):
        if i and name != "flexVolume":
            errors.append(forbidden(f"{path}.{_SPELLED_TOO_MANY.get(name, name)}", _ONE_TOO_MANY))
        else:
            errors += _check_source(name, spec, volume, path)
    return errors


def _check_source(name: str, spec: Json, volume: str, path: str) -> list[FieldError]:
    source, at = spec[name], f"{path}.{_SPELLED.get(name, name)}"
    errors = [required(f"{at}.{field}") for field in _REQUIRED.get(name, ()) if not source.get(field)]
    if rule := _RULES.get(name):
        errors += rule(source, at)
    if name == "iscsi" and source.get("initiatorName") is not None:
        errors += _initiator(source, volume, at)
    if name == "local" and spec.get("nodeAffinity") is None:
        errors.append(required(f"{path}.nodeAffinity", "Local volume requires node affinity"))
    return errors


def _host_path(source: Json, path: str) -> list[FieldError]:
    if not source.get("path"):
        return []
    return check_no_parent(f"{path}.path", source["path"]) + check_choice(
        f"{path}.type", source.get("type") or "", HOST_PATH_TYPES
    )


def _disk(source: Json, path: str) -> list[FieldError]:
    # The sentence leaves out that 0, the whole disk, is fine.
    partition = source.get("partition") or 0
    return [] if 0 <= partition <= 255 else check_range(f"{path}.partition", partition, 1, 255)


def _glusterfs(source: Json, path: str) -> list[FieldError]:
    namespace = source.get("endpointsNamespace")
    if namespace == "":
        message = "if the endpointnamespace is set, it must be a valid namespace name"
        return [invalid(f"{path}.endpointsNamespace", namespace, message)]
    return check(f"{path}.endpointsNamespace", namespace, dns1123_label) if namespace else []


def _flocker(source: Json, path: str) -> list[FieldError]:
    name, uuid = source.get("datasetName") or "", source.get("datasetUUID") or ""
    errors: list[FieldError] = []
    if not name and not uuid:
        errors.append(required(path, "one of datasetName and datasetUUID is required"))
    if name and uuid:
        errors.append(invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously"))
    if "/" in name:
        errors.append(invalid(f"{path}.datasetName", name, "must not contain '/'"))
    return errors


def _nfs(source: Json, path: str) -> list[FieldError]:
    target = source.get("path") or ""
    return [] if target.startswith("/") else [invalid(f"{path}.path", target, "must be an absolute path")]


def _quobyte(source: Json, path: str) -> list[FieldError]:
    registry, tenant = source.get("registry") or "", source.get("tenant") or ""
    if not registry:
        errors = [required(f"{path}.registry", _HOST_PORTS)]
    elif len(tenant) > _TENANT_LIMIT:
        errors = [required(f"{path}.tenant", "must be a UUID and may not exceed a length of 64 characters")]
    else:
        bad = [pair for pair in registry.split(",") if not host_port(pair)]
        errors = [invalid(f"{path}.registry", registry, _HOST_PORTS) for _ in bad]
    return errors if source.get("volume") else [*errors, required(f"{path}.volume")]


def _iscsi(source: Json, path: str) -> list[FieldError]:
    iqn = source.get("iqn") or ""
    errors = _check_iscsi_name(f"{path}.iqn", iqn) if iqn else []
    errors += check_range(f"{path}.lun", source.get("lun") or 0, 0, 255)
    secret = source.get("secretRef")
    if secret is None and (source.get("chapAuthDiscovery") or source.get("chapAuthSession")):
        errors.append(required(f"{path}.secretRef"))
    if secret is not None and not secret.get("name"):
        errors.append(required(f"{path}.secretRef.name"))
    return errors


def _initiator(source: Json, volume: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    portal = source.get("targetPortal") or ""
    if len(f"{volume}:{portal}") > _ISCSI_LIMIT:
        message = (
            "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is"
            " specified."
        )
        errors.append(invalid(f"{path}.targetportal", portal, message))
    return errors + _check_iscsi_name(f"{path}.initiatorname", source["initiatorName"])


def _check_iscsi_name(path: str, name: str) -> list[FieldError]:
    pattern = _ISCSI_NAME.get(name[:3])
    return [] if pattern and pattern.fullmatch(name) else [invalid(path, name, "must be valid format")]


def _fibre_channel(source: Json, path: str) -> list[FieldError]:
    targets, ids, lun = source.get("targetWWNs"), source.get("wwids"), source.get("lun")
    errors: list[FieldError] = []
    if not targets and not ids:
        errors.append(required(f"{path}.targetWWNs", "must specify either targetWWNs or wwids, but not both"))
    if targets and ids:
        message = "targetWWNs and wwids can not be specified simultaneously"
        errors.append(invalid(f"{path}.targetWWNs", targets, message))
    if targets and lun is None:
        errors.append(required(f"{path}.lun", "lun is required if targetWWNs is specified"))
    elif targets:
        errors += check_range(f"{path}.lun", lun, 0, 255)
    return errors


def _flex_volume(source: Json, path: str) -> list[FieldError]:
    return [
        invalid(f"{path}.options[{key}]", key, "kubernetes.io and k8s.io namespaces are reserved")
        for key in source.get("options") or ()
        if ("." + key.split("/", 1)[0].lower()).endswith((".kubernetes.io", ".k8s.io"))
    ]


def _azure_file(source: Json, path: str) -> list[FieldError]:
    return [required(f"{path}.secretNamespace")] if source.get("secretNamespace") == "" else []


def _azure_disk(source: Json, path: str) -> list[FieldError]:
    kind, caching, uri = source.get("kind"), source.get("cachingMode"), source.get("diskURI") or ""
    errors = check_choice(f"{path}.cachingMode", caching, _AZURE_CACHING) if caching is not None else []
    if kind is None:
        return errors
    errors += check_choice(f"{path}.kind", kind, _AZURE_KINDS)
    form, start = _AZURE_MANAGED if kind == "Managed" else _AZURE_BLOB
    return errors if uri.startswith(start) else [*errors, not_supported(f"{path}.diskURI", uri, (form,))]


def _local(source: Json, path: str) -> list[FieldError]:
    return check_no_parent(f"{path}.path", source.get("path") or "")


def _storageos(source: Json, path: str) -> list[FieldError]:
    errors = check_required(f"{path}.volumeName", source.get("volumeName"), dns1123_label)
    if namespace := source.get("volumeNamespace"):
        errors += check(f"{path}.volumeNamespace", namespace, dns1123_label)
    return errors + _named_secret(source, path)


def _named_secret(source: Json, path: str) -> list[FieldError]:
    secret = source.get("secretRef")
    if secret is None:
        return []
    return [required(f"{path}.secretRef.{part}") for part in ("name", "namespace") if not secret.get(part)]


def _csi(source: Json, path: str) -> list[FieldError]:
    errors = check_csi_driver(f"{path}.driver", source.get("driver") or "")
    errors += [] if source.get("volumeHandle") else [required(f"{path}.volumeHandle")]
    for field in _CSI_SECRETS:
        if (secret := source.get(field)) is not None:
            errors += check_required(f"{path}.{field}.name", secret.get("name"), dns1123_subdomain)
            errors += check_required(f"{path}.{field}.namespace", secret.get("namespace"), dns1123_label)
    return errors


_RULES: dict[str, Callable[[Json, str], list[FieldError]]] = {
    "hostPath": _host_path,
    "gcePersistentDisk": _disk,
    "awsElasticBlockStore": _disk,
    "glusterfs": _glusterfs,
    "flocker": _flocker,
    "nfs": _nfs,
    "quobyte": _quobyte,
    "iscsi": _iscsi,
    "cinder": _named_secret,
    "fc": _fibre_channel,
    "flexVolume": _flex_volume,
    "azureFile": _azure_file,
    "azureDisk": _azure_disk,
    "local": _local,
    "storageos": _storageos,
    "csi": _csi,
}
