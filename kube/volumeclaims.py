"""Rules for the spec of a PersistentVolumeClaim, also where it is a template inside a pod or a StatefulSet."""

from __future__ import annotations

from kube.errors import FieldError, forbidden, invalid, required
from kube.objects import Json
from kube.resourcelist import nano
from kube.validation import check, check_choice, check_label_selector, dns1123_label, dns1123_subdomain

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
DATA_SOURCES = ("dataSource", "dataSourceRef")
VOLUME_MODES = ("Block", "Filesystem")


def check_access_modes(
    modes: list[str], path: str, missing: str = "at least 1 access mode is required"
) -> list[FieldError]:
    """Each mode a known one, ReadWriteOncePod alone."""
    errors: list[FieldError] = [] if modes else [required(path, missing)]
    for mode in modes:
        errors += check_choice(path, mode, ACCESS_MODES)
    if "ReadWriteOncePod" in modes and any(mode in ACCESS_MODES for mode in modes if mode != "ReadWriteOncePod"):
        errors.append(forbidden(path, "may not use ReadWriteOncePod with other access modes"))
    return errors


def check_claim_spec(spec: Json, path: str, any_group: bool = False) -> list[FieldError]:
    """A claim's spec; defaults must have been filled in. `any_group`: of whatever form the API group of its source is."""
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
    for name in DATA_SOURCES:
        if (source := spec.get(name)) is not None:
            errors += _check_source(source, f"{path}.{name}", any_group)
    return errors + _check_sources_agree(spec, path)


def _check_source(source: Json, path: str, any_group: bool) -> list[FieldError]:
    errors = [required(f"{path}.{part}") for part in ("name", "kind") if not source.get(part)]
    kind, group, namespace = source.get("kind") or "", source.get("apiGroup") or "", source.get("namespace") or ""
    if not group and kind != "PersistentVolumeClaim":
        message = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        errors.append(invalid(path, kind, message))
    if group and not any_group:
        errors += check(f"{path}.apiGroup", group, dns1123_subdomain)
    return errors + (check(f"{path}.namespace", namespace, dns1123_label) if namespace else [])


def _check_sources_agree(spec: Json, path: str) -> list[FieldError]:
    old, new = (spec.get(name) for name in DATA_SOURCES)
    if old is None or new is None:
        return []
    if new.get("namespace"):
        return [invalid(path, {}, "may not be specified when dataSourceRef.namespace is specified")]
    same = all(old.get(part) == new.get(part) for part in ("apiGroup", "kind", "name"))
    return [] if same else [invalid(path, {}, "must match dataSourceRef")]
