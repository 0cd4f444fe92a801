"""Rules for what a container mounts: volume mounts and raw block devices."""

from __future__ import annotations

from collections.abc import Mapping

from kube.errors import FieldError, forbidden, invalid, not_found, not_supported, required
from kube.objects import Json

_PROPAGATION = ("Bidirectional", "HostToContainer", "None")
_RECURSIVE = ("Disabled", "Enabled", "IfPossible")
_BLOCK_SOURCES = ("persistentVolumeClaim", "ephemeral")


def check_relative_path(path: str, value: str) -> list[FieldError]:
    """A path below some root: neither absolute nor upwards."""
    if value.startswith("/"):
        return [invalid(path, value, "must be a relative path")]
    return check_no_parent(path, value)


def check_no_parent(path: str, value: str) -> list[FieldError]:
    """A path that never steps upwards."""
    return [invalid(path, value, "must not contain '..'")] if ".." in value.split("/") else []


def check_mounts(mounts: list[Json], path: str, container: Json, volumes: Mapping[str, Json]) -> list[FieldError]:
    """`volumeMounts` of a container. Some errors carry no index: Kubernetes reports them so."""
    errors: list[FieldError] = []
    devices = {device.get("devicePath") for device in container.get("volumeDevices") or ()}
    raw = {device.get("name") for device in container.get("volumeDevices") or ()}
    seen: set[str] = set()
    for i, mount in enumerate(mounts):
        at, name, target = f"{path}[{i}]", mount.get("name"), mount.get("mountPath")
        if not name:
            errors.append(required(f"{at}.name"))
        if (name or "") not in volumes:
            errors.append(not_found(f"{at}.name", name or ""))
        if not target:
            errors.append(required(f"{at}.mountPath"))
        elif target in seen:
            errors.append(invalid(f"{at}.mountPath", target, "must be unique"))
        seen.add(target or "")
        if target and target in devices:
            errors.append(invalid(f"{at}.mountPath", target, "must not already exist as a path in volumeDevices"))
        if name and name in raw:
            errors.append(invalid(f"{at}.name", name, "must not already exist in volumeDevices"))
        if mount.keys() - {"name", "mountPath", "readOnly"}:
            errors += _check_options(mount, path, at, container)
    return errors


def _check_options(mount: Json, path: str, at: str, container: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    if sub := mount.get("subPath"):
        errors += check_relative_path(f"{path}.subPath", sub)
    if expression := mount.get("subPathExpr"):
        if sub:
            errors.append(invalid(f"{at}.subPathExpr", expression, "subPathExpr and subPath are mutually exclusive"))
        errors += check_relative_path(f"{path}.subPathExpr", expression)
    propagation, privileged = mount.get("mountPropagation"), (container.get("securityContext") or {}).get("privileged")
    if propagation is not None and propagation not in _PROPAGATION:
        errors.append(not_supported(f"{path}.mountPropagation", propagation, _PROPAGATION))
    elif propagation == "Bidirectional" and not privileged:
        message = "Bidirectional mount propagation is available only to privileged containers"
        errors.append(forbidden(f"{path}.mountPropagation", message))
    recursive, place = mount.get("recursiveReadOnly"), f"{at}.recursiveReadOnly"
    if recursive is not None and recursive not in _RECURSIVE:
        errors.append(not_supported(f"{path}.recursiveReadOnly", recursive, _RECURSIVE))
    elif recursive in ("Enabled", "IfPossible"):
        if not mount.get("readOnly"):
            errors.append(forbidden(place, "may only be specified when readOnly is true"))
        elif propagation not in (None, "None"):
            errors.append(forbidden(place, "may only be specified when mountPropagation is None or not specified"))
    return errors


def check_devices(devices: list[Json], path: str, container: Json, volumes: Mapping[str, Json]) -> list[FieldError]:
    """`volumeDevices` of a container."""
    errors: list[FieldError] = []
    mounted = {mount.get("mountPath") for mount in container.get("volumeMounts") or ()}
    seen_names: set[str] = set()
    seen_paths: set[str] = set()
    for i, device in enumerate(devices):
        at, name, target = f"{path}[{i}]", device.get("name", ""), device.get("devicePath", "")
        if not name:
            errors.append(required(f"{at}.name"))
        elif name in seen_names:
            errors.append(invalid(f"{at}.name", name, "must be unique"))
        if name not in volumes:
            errors.append(not_found(f"{at}.name", name))
        elif not volumes[name].keys() & set(_BLOCK_SOURCES):
            errors.append(
                invalid(
                    f"{at}.name",
                    name,
                    "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode",
                )
            )
        if not target:
            errors.append(required(f"{at}.devicePath"))
        elif target in seen_paths:
            errors.append(invalid(f"{at}.devicePath", target, "must be unique"))
        elif target in mounted:
            errors.append(invalid(f"{at}.devicePath", target, "must not already exist as a path in volumeMounts"))
        else:
            errors += check_no_parent(f"{at}.devicePath", target)
        seen_names.add(name)
        seen_paths.add(target)
    return errors
