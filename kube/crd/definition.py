"""What a CRD itself must fulfil beside its schemas: names, versions, columns, subresources, conversion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kube import errors as e
from kube.conditions import is_true
from kube.crd import approval, jsonpath, schemas, structural
from kube.errors import FieldError
from kube.objects import Json
from kube.validation import (
    Checker,
    check,
    check_choice,
    check_required,
    check_unchanged,
    dns1035_label,
    dns1123_subdomain,
)
from kube.webhookclient import check_client

REVIEW_VERSIONS = ("v1", "v1beta1")
_COLUMN_TYPES = "boolean,date,integer,number,string"
_COLUMN_FORMATS = "byte,date,date-time,double,float,int32,int64,password"
_SIMPLE = "must be a simple json path starting with ."
_LONGEST_WARNING = 256
_MOST_SELECTABLE = 8
_PER_VERSION = ("schema", "subresources", "additionalPrinterColumns", "selectableFields")


def parts(crd: Json) -> Iterator[Json]:
    """The schemas of all versions, and all schemas that they are made of."""
    for version in crd["spec"].get("versions") or ():
        yield from structural.parts((version.get("schema") or {}).get("openAPIV3Schema"))


def name_check(spec: Json) -> Checker:
    """What the name of a CRD with this spec must be: it says what it defines."""
    wanted = f"{(spec.get('names') or {}).get('plural', '')}.{spec.get('group', '')}"

    def check_name(name: str) -> list[str]:
        return dns1123_subdomain(name) + ([] if name == wanted else ['must be spec.names.plural+"."+spec.group'])

    return check_name


def validate(crd: Json, old: Json | None = None) -> list[FieldError]:
    """All errors of a CRD, new or changed from `old`."""
    spec = crd["spec"]
    errors = list(_check_group(spec.get("group", "")))
    errors += _check_one_of("spec.scope", spec.get("scope"), ("Cluster", "Namespaced"))
    errors += _check_names(spec.get("names") or {})
    errors += _check_versions(spec)
    errors += _check_stored(crd)
    errors += _check_conversion(spec.get("conversion") or {})
    if spec.get("preserveUnknownFields"):
        path, instead = "spec.preserveUnknownFields", "x-kubernetes-preserve-unknown-fields"
        message = f"cannot set to true, set {instead} to true in spec.versions[*].schema instead"
        errors.append(e.invalid(path, True, message))
    if old is None or approval.text_of(old) != approval.text_of(crd):
        errors += _check_approval(spec.get("group", ""), approval.text_of(crd))
    return errors


def _check_one_of(path: str, value: str | None, choices: tuple[str, ...]) -> list[FieldError]:
    return check_choice(path, value, choices) if value else [e.required(path)]


def _check_group(group: str) -> Iterator[FieldError]:
    if not group:
        yield e.required("spec.group")
    elif "." not in group and not dns1123_subdomain(group):
        yield e.invalid("spec.group", group, "should be a domain with at least one dot")
    else:
        yield from check("spec.group", group, dns1123_subdomain)


def _check_approval(group: str, text: str) -> Iterator[FieldError]:
    if not approval.is_protected(group):
        return
    place, found = f"metadata.annotations[{approval.ANNOTATION}]", approval.judged(text)
    if found["reason"] == "MissingAnnotation":
        yield e.required(place, found["message"])
    elif found["reason"] == "InvalidAnnotation":
        yield e.invalid(place, text, found["message"])


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
    if named and named[0]:
        # The first version's name is also what the old single-version field holds internally.
        yield from check("spec.version", named[0], dns1035_label)
    for i, version in enumerate(versions):
        path = f"spec.versions[{i}]"
        yield from check(f"{path}.name", version.get("name", ""), dns1035_label)
        yield from _check_deprecation(version, f"{path}.deprecationWarning")
        if (version.get("schema") or {}).get("openAPIV3Schema") is None:
            yield e.required(f"{path}.schema.openAPIV3Schema")
    # What all versions share is told of the whole, at the top of the spec.
    shared = {key for key in _PER_VERSION if all(other.get(key) == versions[0].get(key) for other in versions)}
    status = any("status" in (version.get("subresources") or {}) for version in versions)
    for i, version in enumerate(versions):
        for key in _PER_VERSION:
            if i == 0 or key not in shared:
                at = {"schema": "validation"}.get(key, key) if key in shared else f"versions[{i}].{key}"
                whole = "schema" in shared and status
                yield from _check_part(key, version, f"spec.{at}", whole)


def _check_part(key: str, version: Json, path: str, status: bool) -> Iterator[FieldError]:
    """One of the parts that each version may have of its own. `status`: whether another version has the status apart."""
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    if key == "schema":
        apart = status or "status" in (version.get("subresources") or {})
        yield from schemas.check(schema, f"{path}.openAPIV3Schema", apart) if version.get("schema") else ()
    elif key == "subresources":
        yield from _check_scale((version.get(key) or {}).get("scale"), f"{path}.scale")
    elif key == "selectableFields":
        yield from _check_selectable(version.get(key) or [], schema, path)
    else:
        for i, column in enumerate(version.get(key) or ()):
            yield from _check_column(column, f"{path}[{i}]")


def _check_deprecation(version: Json, path: str) -> Iterator[FieldError]:
    text = version.get("deprecationWarning")
    if text is None:
        return
    if not version.get("deprecated"):
        yield e.invalid(path, text, "can only be set for deprecated versions")
        return
    if len(text.encode()) > _LONGEST_WARNING:
        yield e.invalid(path, text, f"must be <= {_LONGEST_WARNING} characters long")
    if not text:
        yield e.invalid(path, text, "must not be an empty string")
    for i, character in enumerate(text):
        if not character.isprintable():
            detail = f"non-printable character found at index {len(text[:i].encode())}"
            yield e.invalid(path, text, f"must only contain printable UTF-8 characters; {detail}")
            return


def _check_column(column: Json, path: str) -> Iterator[FieldError]:
    if not column.get("name"):
        yield e.required(f"{path}.name")
    kind, format = column.get("type"), column.get("format")
    if not kind:
        yield e.required(f"{path}.type", f"must be one of {_COLUMN_TYPES}")
    elif kind not in _COLUMN_TYPES.split(","):
        yield e.invalid(f"{path}.type", kind, f"must be one of {_COLUMN_TYPES}")
    if format and format not in _COLUMN_FORMATS.split(","):
        yield e.invalid(f"{path}.format", format, f"must be one of {_COLUMN_FORMATS}")
    if not column.get("jsonPath"):
        yield e.required(f"{path}.JSONPath")
    elif not column["jsonPath"].startswith("."):
        yield e.invalid(f"{path}.JSONPath", column["jsonPath"], _SIMPLE)


def _check_scale(scale: Json | None, path: str) -> Iterator[FieldError]:
    if scale is None:
        return
    for key, roots in (
        ("specReplicasPath", (".spec",)),
        ("statusReplicasPath", (".status",)),
        ("labelSelectorPath", (".spec", ".status")),
    ):
        field, text = f"{path}.{key}", scale.get(key)
        if not text and key != "labelSelectorPath":
            yield e.required(field)
        elif text and not text.startswith("."):
            yield e.invalid(field, text, _SIMPLE)
        elif text and not text.startswith(tuple(f"{root}." for root in roots)):
            where = "under " if len(roots) == 1 else "under either "
            yield e.invalid(field, text, f"should be a json path {where}{' or '.join(roots)}")


def _check_selectable(fields: list[Json], schema: Json, path: str) -> Iterator[FieldError]:
    seen = set()
    for i, field in enumerate(fields):
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
            continue
        if jsonpath.simple(text)[0] == "metadata":
            yield e.invalid(place, text, "must not point to fields in metadata")
        if target.get("type") not in ("string", "boolean", "integer"):
            yield e.invalid(
                place,
                text,
                "must point to a field of type string, boolean or integer. "
                "Enum string fields and strings with formats are allowed.",
            )
        if text in seen:
            yield e.duplicate(place, text)
        seen.add(text)
    if len(seen) > _MOST_SELECTABLE:
        yield e.too_many(path, len(seen), _MOST_SELECTABLE)


def _check_stored(crd: Json) -> Iterator[FieldError]:
    """`status.storedVersions` names the versions in which objects may be stored; none of them may disappear."""
    versions = crd["spec"].get("versions") or ()
    named = [version.get("name", "") for version in versions]
    stored, path = (crd.get("status") or {}).get("storedVersions") or [], "status.storedVersions"
    if not stored:
        yield e.invalid(path, stored, "must have at least one stored version")
        return
    for i, version in enumerate(versions):
        name = version.get("name", "")
        if version.get("storage") and (name not in stored or name in named[:i]):
            yield e.invalid(path, stored, f"must have the storage version {name}")
    for i, name in enumerate(stored):
        if name not in named:
            yield e.invalid(
                f"{path}[{i}]",
                name,
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                "spec.versions until a storage migration ensures no data remains persisted in "
                f"{name} and removes {name} from status.storedVersions",
            )


def _check_conversion(conversion: Json) -> Iterator[FieldError]:
    path, webhook = "spec.conversion", conversion.get("webhook") or {}
    client, reviews = webhook.get("clientConfig"), webhook.get("conversionReviewVersions") or []
    yield from _check_one_of(f"{path}.strategy", conversion.get("strategy"), ("None", "Webhook"))
    if conversion.get("strategy") == "Webhook":
        if client is None:
            yield e.required(f"{path}.webhookClientConfig", "required when strategy is set to Webhook")
        else:
            yield from check_client(client, f"{path}.webhookClientConfig")
        yield from _check_reviews(reviews, f"{path}.conversionReviewVersions")
        return
    for value, key in ((client, "webhookClientConfig"), (reviews or None, "conversionReviewVersions")):
        if value is not None:
            yield e.forbidden(f"{path}.{key}", "should not be set when strategy is not set to Webhook")


def _check_reviews(versions: list[str], path: str) -> Iterator[FieldError]:
    if not versions:
        yield e.required(path)
        return
    for i, version in enumerate(versions):
        if version in versions[:i]:
            yield e.invalid(f"{path}[{i}]", version, "duplicate version")
        else:
            yield from check(f"{path}[{i}]", version, dns1035_label)
    if not set(versions) & set(REVIEW_VERSIONS):
        yield e.invalid(path, versions, f"must include at least one of {', '.join(REVIEW_VERSIONS)}")


def validate_change(crd: Json, old: Json) -> list[FieldError]:
    """Errors of a change beside those of `validate`: what the stored objects hang on is fixed."""
    established = is_true(old.get("status"), "Established")
    places = [("scope",), ("names", "kind")] if established else []
    places += [("group",), ("names", "plural")]
    return [
        error
        for place in places
        for error in check_unchanged("spec." + ".".join(place), _at(crd["spec"], place), _at(old["spec"], place))
    ]


def _at(spec: Json, place: tuple[str, ...]) -> Any:
    value: Any = spec
    for key in place:
        value = (value or {}).get(key)
    return value or ""
