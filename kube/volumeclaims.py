"""Rules for the spec of a PersistentVolumeClaim, also where it is a template inside a pod or a StatefulSet."""

from __future__ import annotations

from kube.errors import FieldError, forbidden, invalid, required
from kube.objects import Json
from kube.resourcelist import nano
from kube.validation import check, check_choice, check_label_selector, dns1123_subdomain

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")


def check_access_modes(modes: list[str], path: str) -> list[FieldError]:
    """Each mode a known one, ReadWriteOncePod alone."""
    errors: list[FieldError] = []
    if not modes:
        errors.append(required(path, "at least 1 access mode is required"))
    for mode in modes:
        errors += check_choice(path, mode, ACCESS_MODES)
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        errors.append(forbidden(path, "may not use ReadWriteOncePod with other access modes"))
    return errors


def check_claim_spec(spec: Json, path: str) -> list[FieldError]:
    """A claim's spec; defaults must have been filled in."""
    errors = check_access_modes(spec.get("accessModes") or [], f"{path}.accessModes")
    errors += check_label_selector(f"{path}.selector", spec.get("selector"))
    requests = (spec.get("resources") or {}).get("requests") or {}
    if "storage" not in requests:
        errors.append(required(f"{path}.resources[storage]"))
    elif nano(requests["storage"]) <= 0:
        errors.append(invalid(f"{path}.resources[storage]", requests["storage"], "must be greater than zero"))
    for name in ("storageClassName", "volumeAttributesClassName"):
        if value := spec.get(name):
            errors += check(f"{path}.{name}", value, dns1123_subdomain)
    if (mode := spec.get("volumeMode")) is not None:
        errors += check_choice(f"{path}.volumeMode", mode, VOLUME_MODES)
    for name in ("dataSource", "dataSourceRef"):
        if (source := spec.get(name)) is not None:
            errors += [required(f"{path}.{name}.{part}") for part in ("name", "kind") if not source.get(part)]
            if not source.get("apiGroup") and source.get("kind") != "PersistentVolumeClaim":
                message = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
                errors.append(invalid(f"{path}.{name}", source.get("kind", ""), message))
    return errors
