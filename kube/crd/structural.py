"""What a custom kind's schema does to an object before validation: prune unknown fields, set defaults, drop nulls.

Schemas are plain `openAPIV3Schema` documents that passed `kube.crd.schemas`, so they are structural: each field's
type stands once, outside of `oneOf` and the like.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from kube.objects import Json
from kube.schema import unknown
from kube.schema.plan import Seen, plan
from kube.schema.types import ANY, Field, ListOf, MapOf, Ref, Scalar, Struct, Type

PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"
EMBEDDED = "x-kubernetes-embedded-resource"
META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_RESOURCE = frozenset({"apiVersion", "kind", "metadata"})


def prune(obj: Json, schema: Json) -> list[str]:
    """Drop the fields that a schema does not know, in place; returns their paths, sorted.

    Metadata is decoded as of any object, so that a wrong type in it raises Mismatch.
    """
    found: list[str] = []
    _prune_object(obj, schema, "", resource=True, found=found)
    return sorted(found)


def prune_stored(obj: Json, schema: Json) -> None:
    """Drop what a version does not know from an object that another one wrote, in place; its metadata passed before."""
    content = {key: value for key, value in obj.items() if key != "metadata"}
    _prune_object(content, schema, "", resource=True, found=[])
    for key in obj.keys() - content.keys() - {"metadata"}:
        del obj[key]


def prune_value(value: Any, schema: Json, found: list[str]) -> None:
    """Like `prune` for a value below the root; appends the paths to `found`."""
    _prune(value, schema, "", found)


def _prune(value: Any, schema: Json, path: str, found: list[str]) -> None:
    if isinstance(value, dict):
        _prune_object(value, schema, path, bool(schema.get(EMBEDDED)), found)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for i, item in enumerate(value):
            _prune(item, schema["items"], f"{path}[{i}]", found)


def _prune_object(value: Json, schema: Json, path: str, resource: bool, found: list[str]) -> None:
    properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
    for key in list(value):
        place = f"{path}.{key}" if path else key
        if resource and key in _RESOURCE:
            if key == "metadata":
                seen = Seen()
                if isinstance(value["metadata"], dict) or not place.count("."):
                    value["metadata"] = plan(META)(value["metadata"], seen)
                    found.extend(unknown.drop(Ref(META), value["metadata"], place) if seen.unknown else ())
        elif key in properties:
            _prune(value[key], properties[key], place, found)
        elif isinstance(more, dict):
            _prune(value[key], more, place, found)
        elif not more and not schema.get(PRESERVE):
            found.append(place)
            del value[key]


def default(value: Any, schema: Json) -> None:
    """Set defaults where a field is absent, or null without being nullable; drop such nulls without a default."""
    if isinstance(value, dict):
        more = schema.get("additionalProperties")
        properties = schema.get("properties") or {}
        for key, prop in properties.items():
            if value.get(key) is None and not (key in value and prop.get("nullable")):
                if prop.get("default") is not None:
                    value[key] = copy.deepcopy(prop["default"])
                else:
                    value.pop(key, None)
            if key in value:
                default(value[key], prop)
        if isinstance(more, dict):
            for key in [key for key in value if key not in properties]:
                if value[key] is None and not more.get("nullable"):
                    del value[key]
                else:
                    default(value[key], more)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value:
            default(item, schema["items"])


def with_defaults(schema: Json) -> Json | None:
    """The part of a schema that leads to its defaults, for `default` to walk; None where it has none."""
    properties = {key: part for key, prop in (schema.get("properties") or {}).items() if (part := with_defaults(prop))}
    found: Json = {"properties": properties} if properties else {}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict) and (part := with_defaults(schema[key])):
            found[key] = part
    if schema.get("default") is not None:
        found["default"] = schema["default"]
    return found | {"nullable": bool(schema.get("nullable"))} if found else None


_SCALARS = {"string": "string", "integer": "int64", "number": "double", "boolean": "bool"}


def type_of(schema: Json, name: str, root: bool = False) -> Type:
    """The type model of a schema, for server-side apply."""
    kind = schema.get("type")
    if kind == "object" and (root or schema.get("properties") or schema.get(EMBEDDED)):
        return _struct(schema, name, root or bool(schema.get(EMBEDDED)))
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return MapOf(type_of(schema["additionalProperties"], name), schema.get("x-kubernetes-map-type") == "atomic")
    if kind == "array" and isinstance(schema.get("items"), dict):
        merge = schema.get("x-kubernetes-list-type", "atomic")
        return ListOf(type_of(schema["items"], name), merge, tuple(schema.get("x-kubernetes-list-map-keys", ())))
    if kind == "object" and not schema.get(PRESERVE):
        return MapOf(Scalar(ANY), schema.get("x-kubernetes-map-type") == "atomic")
    return Scalar(_SCALARS.get(kind or "", ANY))


def _struct(schema: Json, name: str, resource: bool) -> Struct:
    properties = schema.get("properties") or {}
    fields = {key: Field(type_of(prop, name)) for key, prop in properties.items()}
    if resource:
        fields.update(apiVersion=Field(Scalar("string")), kind=Field(Scalar("string")), metadata=Field(Ref(META)))
    defaults = {key: prop["default"] for key, prop in properties.items() if prop.get("default") is not None}
    return Struct(
        name,
        fields,
        atomic=schema.get("x-kubernetes-map-type") == "atomic",
        preserve=bool(schema.get(PRESERVE)),
        key_defaults=defaults,
    )


def parts(schema: Any) -> Iterator[Json]:
    """A schema and all that it is made of."""
    if not isinstance(schema, dict):
        return
    yield schema
    below = [schema.get("items"), schema.get("not"), schema.get("additionalProperties")]
    below += (schema.get("properties") or {}).values()
    for key in ("allOf", "anyOf", "oneOf"):
        below += schema.get(key) or ()
    for part in below:
        yield from parts(part)
