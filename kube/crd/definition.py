"""What a CRD itself must fulfil beside its schemas: names, versions, columns, subresources, conversion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kube import errors as e
from kube.conditions import is_true
from kube.crd import jsonpath, schemas
from kube.errors import FieldError
from kube.objects import Json
from kube.validation import check, check_required, dns1035_label, dns1123_subdomain

APPROVED = "api-approved.kubernetes.io"
_PROTECTED = (".k8s.io", ".kubernetes.io")
_COLUMN_TYPES = "boolean,date,integer,number,string"
_PER_VERSION = ("schema", "subresources", "additionalPrinterColumns", "selectableFields")


def validate_name(crd: Json) -> list[FieldError]:
    """The name of a new CRD says what it defines."""
    spec, name = crd["spec"], crd["metadata"].get("name", "")
    if name == f"{(spec.get('names') or {}).get('plural', '')}.{spec.get('group', '')}":
        return []
    return [e.invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')]


def validate(crd: Json) -> list[FieldError]:
    """All errors of a CRD, new or changed."""
    spec = crd["spec"]
    errors = list(_check_group(crd, spec.get("group", "")))
    if spec.get("scope") not in ("Cluster", "Namespaced"):
        errors.append(e.not_supported("spec.scope", spec.get("scope", ""), ("Cluster", "Namespaced")))
    errors += _check_names(spec.get("names") or {})
    errors += _check_versions(spec)
    errors += _check_stored(crd)
    errors += _check_conversion(spec.get("conversion") or {})
    if spec.get("preserveUnknownFields"):
        path, instead = "spec.preserveUnknownFields", "x-kubernetes-preserve-unknown-fields"
        message = f"cannot set to true, set {instead} to true in spec.versions[*].schema instead"
        errors.append(e.invalid(path, True, message))
    return errors


def _check_group(crd: Json, group: str) -> Iterator[FieldError]:
    if not group:
        yield e.required("spec.group")
    elif "." not in group:
        yield e.invalid("spec.group", group, "should be a domain with at least one dot")
    else:
        yield from check("spec.group", group, dns1123_subdomain)
    protected = group.endswith(_PROTECTED) or group in ("k8s.io", "kubernetes.io")
    approval = (crd["metadata"].get("annotations") or {}).get(APPROVED, "")
    if protected and not approval:
        yield e.required(
            f"metadata.annotations[{APPROVED}]",
            f'protected groups must have approval annotation "{APPROVED}", see '
            "https://github.com/kubernetes/enhancements/pull/1111",
        )
    elif protected and not re.match(r"https?://|unapproved", approval):
        yield e.invalid(
            f"metadata.annotations[{APPROVED}]",
            approval,
            f'protected groups must have approval annotation "{APPROVED}" with either a URL or a reason '
            'starting with "unapproved"',
        )


def _check_names(names: Json) -> Iterator[FieldError]:
    for key in ("plural", "singular"):
        yield from check_required(f"spec.names.{key}", names.get(key), dns1035_label)
    for key in ("kind", "listKind"):
        if not names.get(key):
            yield e.required(f"spec.names.{key}")
        elif dns1035_label(names[key].lower()):
            yield e.invalid(
                f"spec.names.{key}",
                names[key],
                "may have mixed case, but should otherwise match: " + dns1035_label(names[key].lower())[0],
            )
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        yield e.invalid("spec.names.listKind", names["listKind"], "kind and listKind may not be the same")
    for key in ("shortNames", "categories"):
        for i, text in enumerate(names.get(key) or ()):
            yield from check(f"spec.names.{key}[{i}]", text, dns1035_label)


def _check_versions(spec: Json) -> Iterator[FieldError]:
    versions = spec.get("versions") or []
    named = [version.get("name", "") for version in versions]
    if len(set(named)) != len(named):
        yield e.invalid("spec.versions", versions, "must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield e.invalid(
            "spec.versions", spec.get("versions"), "must have exactly one version marked as storage version"
        )
    for i, version in enumerate(versions):
        path = f"spec.versions[{i}]"
        yield from check(f"{path}.name", version.get("name", ""), dns1035_label)
        if i == 0:
            # The first version's name is also what the old single-version field holds internally.
            yield from check("spec.version", version.get("name", ""), dns1035_label)
        yield from _check_version(version, path, versions)


def _check_version(version: Json, path: str, versions: list[Json]) -> Iterator[FieldError]:
    """One version. What all versions share is reported at the top of the spec, as the real server does."""
    shared = {key for key in _PER_VERSION if all(other.get(key) == version.get(key) for other in versions)}
    if version is not versions[0] and shared == set(_PER_VERSION):
        return
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if schema is None:
        yield e.required(f"{path}.schema.openAPIV3Schema")
    else:
        yield from schemas.check(
            schema, "spec.validation.openAPIV3Schema" if "schema" in shared else f"{path}.schema.openAPIV3Schema"
        )
    places = {key: f"spec.{key}" if key in shared else f"{path}.{key}" for key in _PER_VERSION}
    for i, column in enumerate(version.get("additionalPrinterColumns") or ()):
        place = f"{places['additionalPrinterColumns']}[{i}]"
        if not column.get("name"):
            yield e.required(f"{place}.name")
        if column.get("type") not in _COLUMN_TYPES.split(","):
            yield e.invalid(f"{place}.type", column.get("type", ""), f"must be one of {_COLUMN_TYPES}")
        if not column.get("jsonPath"):
            yield e.required(f"{place}.JSONPath")
        elif not _is_path(column["jsonPath"]):
            yield e.invalid(f"{place}.JSONPath", column["jsonPath"], "must be a simple json path starting with .")
    yield from _check_selectable(version, schema or {}, places["selectableFields"])
    scale = (version.get("subresources") or {}).get("scale")
    if scale is not None:
        place = f"{places['subresources']}.scale"
        for key, root in (("specReplicasPath", ".spec"), ("statusReplicasPath", ".status")):
            field = f"{place}.{key}"
            if not scale.get(key):
                yield e.required(field)
            elif not scale[key].startswith(root + "."):
                yield e.invalid(field, scale[key], f"should be a json path under {root}")
        selector = scale.get("labelSelectorPath")
        if selector and not selector.startswith((".spec.", ".status.")):
            yield e.invalid(
                f"{place}.labelSelectorPath", selector, "should be a json path under either .spec or .status"
            )


def _is_path(path: str) -> bool:
    try:
        jsonpath.compile_path(path)
    except ValueError:
        return False
    return path.startswith(".")


def _check_selectable(version: Json, schema: Json, path: str) -> Iterator[FieldError]:
    for i, field in enumerate(version.get("selectableFields") or ()):
        place, text = f"{path}[{i}].jsonPath", field.get("jsonPath", "")
        if not text:
            yield e.required(place)
            continue
        try:
            target: Json | None = schema
            for name in jsonpath.simple(text):
                target = ((target or {}).get("properties") or {}).get(name)
        except ValueError:
            target = None
        if target is None:
            yield e.invalid(place, text, "is an invalid path: does not refer to a valid field")
        elif target.get("type") not in ("string", "boolean", "integer"):
            yield e.invalid(
                place,
                text,
                "must point to a field of type string, boolean or integer. "
                "Enum string fields and strings with formats are allowed.",
            )


def _check_stored(crd: Json) -> Iterator[FieldError]:
    """`status.storedVersions` names the versions in which objects may be stored; none of them may disappear."""
    versions = [version.get("name") for version in crd["spec"].get("versions") or ()]
    stored = (crd.get("status") or {}).get("storedVersions")
    if not stored:
        yield e.invalid("status.storedVersions", stored, "must have at least one stored version")
    for i, name in enumerate(stored or ()):
        if name not in versions:
            yield e.invalid(
                f"status.storedVersions[{i}]",
                name,
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                "spec.versions until a storage migration ensures no data remains persisted in "
                f"{name} and removes {name} from status.storedVersions",
            )


def _check_conversion(conversion: Json) -> Iterator[FieldError]:
    strategy, webhook = conversion.get("strategy"), conversion.get("webhook") or {}
    if strategy not in ("None", "Webhook"):
        yield e.not_supported("spec.conversion.strategy", strategy, ("None", "Webhook"))
    elif strategy == "Webhook":
        if not webhook.get("clientConfig"):
            yield e.required("spec.conversion.webhookClientConfig", "required when strategy is set to Webhook")
        if not webhook.get("conversionReviewVersions"):
            yield e.required("spec.conversion.conversionReviewVersions")
    else:
        for key, place in (("clientConfig", "webhookClientConfig"), ("conversionReviewVersions",) * 2):
            if webhook.get(key):
                yield e.forbidden(f"spec.conversion.{place}", "should not be set when strategy is not set to Webhook")


def validate_change(crd: Json, old: Json) -> list[FieldError]:
    """Errors of a change beside those of `validate`: the identity of an established kind is fixed."""
    places = (("group",), ("scope",), ("names", "kind"), ("names", "plural"))
    return [
        e.invalid("spec." + ".".join(place), _at(crd["spec"], place), "field is immutable")
        for place in places
        if is_true(old.get("status"), "Established") and _at(crd["spec"], place) != _at(old["spec"], place)
    ]


def _at(spec: Json, place: tuple[str, ...]) -> Any:
    value: Any = spec
    for key in place:
        value = (value or {}).get(key)
    return value
