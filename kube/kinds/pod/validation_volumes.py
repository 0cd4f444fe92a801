"""Rules for the volumes of a pod, one function per source that has more than required fields."""

from __future__ import annotations

from collections.abc import Callable

from kube.errors import FieldError, duplicate, forbidden, invalid, required
from kube.kinds.pod.validation_env import check_field_ref, check_resource_ref
from kube.kinds.pod.validation_mounts import check_no_parent
from kube.objectmeta import validate_meta_content
from kube.objects import Json
from kube.resourcelist import nano
from kube.validation import check, check_choice, check_csi_driver, check_required, dns1123_label, dns1123_subdomain
from kube.volumeclaims import check_claim_spec

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
HOST_PATH_TYPES = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
DOWNWARD_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
MINIMUM_TOKEN_SECONDS = 600

# The order decides which of several sources is reported as one too many.
_ORDER = (
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "flocker",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "quobyte",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
    "image",
)
# Names that the original writes otherwise when it says that there is one source too many.
_MISSPELT = {"downwardAPI": "downwarAPI", "cephfs": "cephFS"}
# What has to be there.
REQUIRED = {
    "secret": ("secretName",),
    "configMap": ("name",),
    "hostPath": ("path",),
    "nfs": ("server", "path"),
    "iscsi": ("targetPortal", "iqn"),
    "gitRepo": ("repository",),
    "gcePersistentDisk": ("pdName",),
    "awsElasticBlockStore": ("volumeID",),
    "glusterfs": ("endpoints", "path"),
    "persistentVolumeClaim": ("claimName",),
    "cinder": ("volumeID",),
    "rbd": ("monitors", "image"),
    "cephfs": ("monitors",),
    "flexVolume": ("driver",),
    "quobyte": ("volume",),
    "azureFile": ("secretName", "shareName"),
    "vsphereVolume": ("volumePath",),
    "photonPersistentDisk": ("pdID",),
    "portworxVolume": ("volumeID",),
    "azureDisk": ("diskName", "diskURI"),
    "scaleIO": ("gateway", "system", "volumeName"),
}


def check_volumes(volumes: list[Json], path: str) -> tuple[list[FieldError], dict[str, Json]]:
    """`volumes` of a pod: what is wrong, and by name those that nothing is wrong with."""
    errors: list[FieldError] = []
    good: dict[str, Json] = {}
    for i, volume in enumerate(volumes):
        name = volume.get("name", "")
        wrong = check_volume_source(volume, f"{path}[{i}]")
        wrong += check_required(f"{path}[{i}].name", name, dns1123_label)
        if name in good:
            wrong.append(duplicate(f"{path}[{i}].name", name))
        if not wrong:
            good[name] = volume
        errors += wrong
    return errors, good


def check_volume_source(holder: Json, path: str) -> list[FieldError]:
    """Exactly one source, and what holds for it."""
    given = [name for name in holder if name in KNOWN_SOURCES and holder[name] is not None]
    if not given:
        return [required(path, "must specify a volume type")]
    if len(given) > 1:
        given.sort(key=_ORDER.index)
        return [
            forbidden(f"{path}.{_MISSPELT.get(name, name)}", "may not specify more than 1 volume type")
            for name in given[1:]
        ]
    name = given[0]
    source, at = holder[name], f"{path}.{name}"
    errors = [required(f"{at}.{field}") for field in REQUIRED.get(name, ()) if not source.get(field)]
    return errors + rule(source, at) if (rule := _RULES.get(name)) else errors


KNOWN_SOURCES = frozenset(_ORDER)


def check_mode(mode: int | None, path: str) -> list[FieldError]:
    """Permission bits of a file."""
    if mode is None or 0 <= mode <= 0o777:
        return []
    return [invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive")]


def _check_local_path(value: str, path: str) -> list[FieldError]:
    """A file below the volume's root whose name does not begin as the kubelet's own do."""
    if value.startswith("/"):
        return [invalid(path, value, "must be a relative path")]
    errors = check_no_parent(path, value)
    if value.startswith("..") and not errors:
        errors.append(invalid(path, value, "must not start with '..'"))
    return errors


def _check_items(source: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, item in enumerate(source.get("items") or ()):
        at = f"{path}.items[{i}]"
        if not item.get("key"):
            errors.append(required(f"{at}.key"))
        if target := item.get("path"):
            errors += _check_local_path(target, f"{at}.path")
        else:
            errors.append(required(f"{at}.path"))
        errors += check_mode(item.get("mode"), f"{at}.mode")
    return errors


def _files(source: Json, path: str) -> list[FieldError]:
    return check_mode(source.get("defaultMode"), f"{path}.defaultMode") + _check_items(source, path)


def _downward_item(item: Json, path: str) -> list[FieldError]:
    errors = _check_local_path(item["path"], f"{path}.path") if item.get("path") else [required(f"{path}.path")]
    field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if field is not None:
        errors += check_field_ref(field, f"{path}.fieldRef", DOWNWARD_FIELDS, DOWNWARD_FIELDS[:2])
        if resource is not None:
            errors.append(
                invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
            )
    elif resource is not None:
        errors += check_resource_ref(resource, f"{path}.resourceFieldRef", in_volume=True)
    else:
        errors.append(required(path, "one of fieldRef and resourceFieldRef is required"))
    return errors + check_mode(item.get("mode"), f"{path}.mode")


def _downward(source: Json, path: str) -> list[FieldError]:
    # Kubernetes leaves the index of the item out of these paths.
    errors = check_mode(source.get("defaultMode"), f"{path}.defaultMode")
    for item in source.get("items") or ():
        errors += _downward_item(item, path)
    return errors


def _projected(source: Json, path: str) -> list[FieldError]:
    errors = check_mode(source.get("defaultMode"), f"{path}.defaultMode")
    seen: set[str] = set()
    for i, part in enumerate(source.get("sources") or ()):
        at = f"{path}.sources[{i}]"
        given = [name for name in _PARTS if part.get(name) is not None]
        errors += [forbidden(f"{at}.{name}", "may not specify more than 1 volume type") for name in given[1:]]
        for name in given[:1]:
            errors += _PARTS[name](part[name], f"{at}.{name}")
            # The files that the part makes: its own, or one an item.
            targets = [part[name]["path"]] if "path" in part[name] else []
            targets += [item["path"] for item in part[name].get("items") or () if item.get("path")]
            for target in targets:
                if target in seen:
                    errors.append(invalid(path, part[name].get("name", target), "conflicting duplicate paths"))
                seen.add(target)
    return errors


def _projected_named(part: Json, path: str) -> list[FieldError]:
    return ([] if part.get("name") else [required(f"{path}.name")]) + _check_items(part, path)


def _projected_downward(part: Json, path: str) -> list[FieldError]:
    return [error for item in part.get("items") or () for error in _downward_item(item, path)]


def _projected_token(part: Json, path: str) -> list[FieldError]:
    seconds = part.get("expirationSeconds", MINIMUM_TOKEN_SECONDS)
    errors: list[FieldError] = []
    if seconds < MINIMUM_TOKEN_SECONDS:
        errors.append(invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"))
    elif seconds > 1 << 32:
        errors.append(
            invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
        )
    if target := part.get("path"):
        return errors + _check_local_path(target, f"{path}.path")
    return [*errors, required(f"{path.rpartition('.sources[')[0]}.path")]  # as upstream, of no source


def _host_path(source: Json, path: str) -> list[FieldError]:
    errors = check_no_parent(f"{path}.path", source.get("path", ""))
    return errors + check_choice(f"{path}.type", source.get("type") or "", HOST_PATH_TYPES)


def _empty_dir(source: Json, path: str) -> list[FieldError]:
    if (limit := source.get("sizeLimit")) is not None and nano(limit) < 0:
        return [forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")]
    return []


def _nfs(source: Json, path: str) -> list[FieldError]:
    target = source.get("path", "")
    return [] if target.startswith("/") else [invalid(f"{path}.path", target, "must be an absolute path")]


def _iscsi(source: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    iqn, lun = source.get("iqn", ""), source.get("lun", 0)
    if iqn and not iqn.startswith(("iqn.", "eui.", "naa.")):
        errors.append(invalid(f"{path}.iqn", iqn, "must be valid format starting with iqn, eui, or naa"))
    if not 0 <= lun <= 255:
        errors.append(invalid(f"{path}.lun", lun, "must be between 0 and 255, inclusive"))
    return errors


def _ephemeral(source: Json, path: str) -> list[FieldError]:
    template = source.get("volumeClaimTemplate")
    if template is None:
        return [required(f"{path}.volumeClaimTemplate")]
    at = f"{path}.volumeClaimTemplate"
    return validate_meta_content(template.get("metadata") or {}, f"{at}.metadata") + check_claim_spec(
        template.get("spec") or {}, f"{at}.spec"
    )


def _csi(source: Json, path: str) -> list[FieldError]:
    secret = source.get("nodePublishSecretRef")
    errors = check_csi_driver(f"{path}.driver", source.get("driver", ""))
    if secret is not None:
        name = secret.get("name")
        errors += (
            check(f"{path}.name", name, dns1123_subdomain) if name else [required(f"{path}.nodePublishSecretRef.name")]
        )
    return errors


def _image(source: Json, path: str) -> list[FieldError]:
    return check_choice(f"{path}.pullPolicy", source.get("pullPolicy", ""), PULL_POLICIES)


_RULES: dict[str, Callable[[Json, str], list[FieldError]]] = {
    "secret": _files,
    "configMap": _files,
    "downwardAPI": _downward,
    "projected": _projected,
    "csi": _csi,
    "image": _image,
    "hostPath": _host_path,
    "emptyDir": _empty_dir,
    "nfs": _nfs,
    "iscsi": _iscsi,
    "ephemeral": _ephemeral,
}
_PARTS: dict[str, Callable[[Json, str], list[FieldError]]] = {
    "secret": _projected_named,
    "configMap": _projected_named,
    "downwardAPI": _projected_downward,
    "serviceAccountToken": _projected_token,
}
