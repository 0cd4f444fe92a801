"""What OpenAPI shows of a custom kind: its schema with the fields that every object has, as v3 and as v2 can say it.

Version 2 knows no alternatives and no nulls; and `kubectl` cannot read there what keeps unknown fields as an object.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import orjson

from kube.crd.structural import EMBEDDED, INT_OR_STRING, META, PRESERVE
from kube.objects import Json
from kube.registry import Kind
from kube.schema import definitions

PREFIX = "#/components/schemas/"
_LIST_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
_EITHER = [{"type": "integer"}, {"type": "string"}]
_BELOW = ("items", "additionalProperties")
_JUNCTORS = ("allOf", "anyOf", "oneOf", "not")


def schemas(kind: Kind, custom: Json, selectable: list[str], v2: bool) -> dict[str, Json]:
    """The schemas of a kind and of its list, by definition name. References are those of v3."""
    listed = kind.definition.rsplit(".", 1)[0] + "." + kind.list_kind
    extensions = {"x-kubernetes-selectable-fields": [{"fieldPath": path} for path in selectable]} if selectable else {}
    collection = {
        "type": "object",
        "required": ["items"],
        "description": f"{kind.list_kind} is a list of {kind.kind}",
        "properties": {
            **_type_meta(),
            "items": {
                "type": "array",
                "items": {"$ref": PREFIX + kind.definition},
                "description": f"List of {kind.plural}. More info: {_CONVENTIONS}",
            },
            "metadata": _reference(_LIST_META, f"Standard list metadata. More info: {_CONVENTIONS}#types-kinds"),
        },
    }
    return {
        kind.definition: {**_object(custom, v2), **_named(kind, kind.kind), **extensions},
        listed: {**collection, **_named(kind, kind.list_kind), **extensions},
    }


def _named(kind: Kind, name: str) -> Json:
    return {"x-kubernetes-group-version-kind": [{"group": kind.group, "version": kind.version, "kind": name}]}


def _object(custom: Json, v2: bool) -> Json:
    if v2 and custom.get(PRESERVE):
        return {"type": "object"}
    shown = _each(custom, _as_v2 if v2 else _as_v3)
    return {**shown, "properties": {**(shown.get("properties") or {}), **_identity()}}


def _each(schema: Json, change: Callable[[Json], Json]) -> Json:
    """A schema, changed at every place where it states a type, from the outside inwards."""
    schema = change(schema)
    below: Json = {key: _each(schema[key], change) for key in _BELOW if isinstance(schema.get(key), dict)}
    if schema.get("properties"):
        below["properties"] = {name: _each(part, change) for name, part in schema["properties"].items()}
    return _with_identity({**schema, **below}, v2=change is _as_v2)


def _with_identity(schema: Json, v2: bool) -> Json:
    """An object within another one has the fields that every object has."""
    if not schema.get(EMBEDDED) or (v2 and schema.get(PRESERVE)):
        return schema
    required = [*(schema.get("required") or ())]
    required += [key for key in ("kind", "apiVersion") if key not in required]
    return {**schema, "properties": {**(schema.get("properties") or {}), **_identity()}, "required": required}


def _as_v3(schema: Json) -> Json:
    """With both types of what is a number or a text."""
    if not schema.get(INT_OR_STRING) or schema.get("anyOf") == _EITHER:
        return schema
    alternatives = schema.get("allOf") or []
    if alternatives and alternatives[0].get("anyOf") == _EITHER:
        return schema
    if not schema.get("anyOf"):
        return {**schema, "anyOf": _EITHER}
    return {**schema, "allOf": [{"anyOf": _EITHER}, *alternatives]}


def _as_v2(schema: Json) -> Json:
    shown = {key: value for key, value in schema.items() if key not in (*_JUNCTORS, "nullable")}
    if schema.get("nullable") or schema.get(PRESERVE):
        shown.pop("items", None)
        shown.pop("properties", None)
    untyped = schema.get("nullable") or (shown.get("type") == "array" and "items" not in shown)
    if untyped or (schema.get(PRESERVE) and shown.get("type") == "object"):
        shown.pop("type", None)
    nullable = {name for name, part in (shown.get("properties") or {}).items() if part.get("nullable")}
    needed = [name for name in shown.get("required") or () if name not in nullable]
    more = shown.get("additionalProperties")
    if not needed or (isinstance(more, dict) and more.get("nullable")):
        shown.pop("required", None)
    else:
        shown["required"] = needed
    return shown


_CONVENTIONS = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"


def _reference(name: str, description: str) -> Json:
    return {"allOf": [{"$ref": PREFIX + name}], "description": description}


@lru_cache(maxsize=1)
def _type_meta() -> Json:
    """`apiVersion` and `kind`, as the built-in kinds have them."""
    some: Any = orjson.loads(definitions.published().read("io.k8s.api.core.v1.ConfigMap")[0])
    return {key: some["properties"][key] for key in ("apiVersion", "kind")}


def _identity() -> Json:
    return {
        **_type_meta(),
        "metadata": _reference(META, f"Standard object's metadata. More info: {_CONVENTIONS}#metadata"),
    }
