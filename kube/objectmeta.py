"""`metadata` of every object: names, labels, owners, finalizers, and what of them may not change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kube.errors import FieldError, forbidden, invalid, required, show, too_long
from kube.objects import Json
from kube.registry import Context, Strategy
from kube.validation import (
    Checker,
    check,
    check_labels,
    check_unchanged,
    dns1123_label,
    dns1123_subdomain,
    qualified_name,
)

ANNOTATIONS_LIMIT = 256 * 1024
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"  # what kubectl's client-side apply goes by
STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")
_IMMUTABLE = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


class ObjectStrategy(Strategy):
    """A strategy that checks `metadata`; a kind adds its own rules in `check_object` and `check_change`.

    `check_object` runs on create and on update, `check_change` on update only; `whole_first` says which is told first.
    """

    namespaced = True
    whole_first = False
    name_check: Checker = staticmethod(dns1123_subdomain)

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        return validate_meta(obj["metadata"], self.namespaced, self.name_check) + self.check_object(obj, ctx)

    def validate_update(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        errors = validate_meta_update(obj["metadata"], old["metadata"])
        changed, whole = self.check_change(obj, old, ctx), self.check_object(obj, ctx)
        return errors + (whole + changed if self.whole_first else changed + whole)

    def validate_status_update(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return validate_meta_update(obj["metadata"], old["metadata"]) + self.check_status(obj, old, ctx)

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        return []

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return []

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return []


def validate_meta(
    meta: Json,
    namespaced: bool,
    name_check: Checker = dns1123_subdomain,
    path: str = "metadata",
    standard_finalizers: bool = True,
) -> list[FieldError]:
    """The rules for `metadata` of a new object. `standard_finalizers`: see `validate_meta_content`."""
    errors: list[FieldError] = []
    if prefix := meta.get("generateName"):
        # A prefix may end in a dash: a suffix will follow it.
        stem = prefix[:-2] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix
        errors += [invalid(f"{path}.generateName", prefix, m) for m in name_check(stem)]
    if name := meta.get("name"):
        errors += [invalid(f"{path}.name", name, m) for m in name_check(name)]
    else:
        errors.append(required(f"{path}.name", "name or generateName is required"))
    namespace = meta.get("namespace")
    if namespace and namespaced:
        errors += check(f"{path}.namespace", namespace, dns1123_label)
    elif namespace:
        errors.append(forbidden(f"{path}.namespace", "not allowed on this type"))
    elif namespaced:
        errors.append(required(f"{path}.namespace"))
    errors += validate_meta_content(meta, path, standard_finalizers)
    return errors


def validate_meta_content(meta: Json, path: str = "metadata", standard_finalizers: bool = True) -> list[FieldError]:
    """Labels, annotations, owners and finalizers: the part of `metadata` checked on create and update alike.

    `standard_finalizers`: whether a finalizer without a domain must be one of Kubernetes' own, as in its own kinds.
    """
    errors: list[FieldError] = []
    if labels := meta.get("labels"):
        errors += check_labels(f"{path}.labels", labels)
    if annotations := meta.get("annotations"):
        errors += check_annotations(f"{path}.annotations", annotations)
    if owners := meta.get("ownerReferences"):
        errors += _check_owners(f"{path}.ownerReferences", owners)
    if finalizers := meta.get("finalizers"):
        at = f"{path}.finalizers"
        for finalizer in finalizers:
            errors += check(at, finalizer, qualified_name)
        if "orphan" in finalizers and "foregroundDeletion" in finalizers:
            errors.append(invalid(at, finalizers, "finalizer orphan and foregroundDeletion cannot be both set"))
        for i, finalizer in enumerate(finalizers if standard_finalizers else ()):
            errors += check_standard_finalizer(f"{at}[{i}]", finalizer)
    return errors


def validate_meta_update(
    meta: Json, old: Json, path: str = "metadata", standard_finalizers: bool = True
) -> list[FieldError]:
    """The rules for `metadata` of a write over `old`. `standard_finalizers`: see `validate_meta_content`."""
    errors: list[FieldError] = []
    for name in _IMMUTABLE:
        errors += check_unchanged(f"{path}.{name}", meta.get(name), old.get(name))
    if old.get("deletionTimestamp") and (added := set(meta.get("finalizers") or ()) - set(old.get("finalizers") or ())):
        errors.append(
            forbidden(
                f"{path}.finalizers",
                f"no new finalizers can be added if the object is being deleted, found new finalizers {sorted(added)}",
            )
        )
    return errors + validate_meta_content(meta, path, standard_finalizers)


def check_annotations(path: str, annotations: Mapping[str, str]) -> list[FieldError]:
    """Keys are qualified names in any case; all together are bounded in size."""
    errors: list[FieldError] = []
    for key in annotations:
        errors += [invalid(path, key, m) for m in qualified_name(key.lower())]
    # A character has four bytes at most: most annotations need not be encoded to be counted.
    characters = sum(len(key) + len(value) for key, value in annotations.items())
    if characters > ANNOTATIONS_LIMIT // 4 and (
        sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > ANNOTATIONS_LIMIT
    ):
        errors.append(too_long(path, "", ANNOTATIONS_LIMIT))
    return errors


def _check_owners(path: str, owners: list[dict[str, Any]]) -> list[FieldError]:
    errors: list[FieldError] = []
    controllers = []
    for owner in owners:
        for name, text in (
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ):
            if not owner.get(name):
                errors.append(invalid(f"{path}.{name}", owner.get(name, ""), text))
        if owner.get("kind") == "Event" and owner.get("apiVersion") in ("v1", "events.k8s.io/v1"):
            errors.append(invalid(path, owner, "/v1, Kind=Event is disallowed from being an owner"))
        if owner.get("controller"):
            controllers.append(f"{owner.get('kind')}/{owner.get('name')}")
    if len(controllers) > 1:
        errors.append(
            invalid(
                path,
                owners,
                'Only one reference can have Controller set to true. Found "true" in '
                f"references for {controllers[0]} and {controllers[1]}",
            )
        )
    return errors


def check_standard_finalizer(path: str, finalizer: str) -> list[FieldError]:
    """A finalizer without a domain must be one that Kubernetes itself uses."""
    if "/" in finalizer or finalizer in STANDARD_FINALIZERS:
        return []
    return [invalid(path, finalizer, "name is neither a standard finalizer name nor is it fully qualified")]


def finalizer_warnings(meta: Json, old: Json | None = None) -> list[str]:
    """What is said of new finalizers of kinds that are not Kubernetes' own: those without a domain may be others' too."""
    path, path_hint = "metadata.finalizers", " including a path (/)"
    added = set(meta.get("finalizers") or ()) - set((old or {}).get("finalizers") or ())
    return [
        f"{path}: {show(name)}: prefer a domain-qualified finalizer name{path_hint if '.' in name else ''} to avoid "
        "accidental conflicts with other finalizer writers"
        for name in sorted(added)
        if "/" not in name and name not in STANDARD_FINALIZERS
    ]
