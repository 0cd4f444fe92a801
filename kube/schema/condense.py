"""Condenses the OpenAPI definitions to what decoding, patching and server-side apply need.

Forms: a scalar is its name (see `types`); `{"r": name}` a reference; `{"l": item, "merge", "keys"}` a list;
`{"m": value, "atomic"}` a map; `{"f": {field: [type, encoding, patch strategies, patch key]}, "atomic", "d"}` a struct.

What OpenAPI does not tell is whether a field is a pointer in Kubernetes' own types, and so whether a zero value is
written. `encoding.json` holds those facts where they differ from the rule in `_encoding`: definition -> code -> fields.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from kube.schema import publish
from kube.schema import types as t
from kube.schema.indexed import pack, write_cached

VERSION = "1.36"
FORMAT = 1

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."
_SPECIAL = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": t.QUANTITY,
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": t.INT_OR_STRING,
    "io.k8s.apimachinery.pkg.runtime.RawExtension": t.ANY,
    _META + "Time": t.TIME,
    _META + "MicroTime": t.MICROTIME,
    _META + "FieldsV1": t.ANY,
    _META + "Patch": t.ANY,
    _EXTENSIONS + "JSON": t.ANY,
    _EXTENSIONS + "JSONSchemaPropsOrArray": t.ANY,
    _EXTENSIONS + "JSONSchemaPropsOrBool": t.ANY,
    _EXTENSIONS + "JSONSchemaPropsOrStringArray": t.ANY,
}
_FORMATS = {"int32": t.INT32, "int64": t.INT64, "double": t.DOUBLE, "byte": t.BYTES}
_SCALARS = {"string": t.STRING, "integer": t.INT64, "number": t.DOUBLE, "boolean": t.BOOL}
# Keys of list-maps that have a default: OpenAPI of the real server says so, the packaged definitions do not.
_KEY_DEFAULTS = {
    "io.k8s.api.core.v1.ContainerPort": {"protocol": "TCP"},
    "io.k8s.api.core.v1.ServicePort": {"protocol": "TCP"},
}


def source() -> Path:
    """The definitions of Kubernetes 1.36, found without importing the package (it drags jsonschema in)."""
    spec = find_spec("kubernetes_validate")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("kubernetes-validate is not installed: run `pip install -r requirements.txt`")
    folder = Path(spec.submodule_search_locations[0]) / "kubernetes-json-schema"
    return folder / f"v{VERSION}.0-local" / "_definitions.json"


def definitions() -> dict[str, Any]:
    """All definitions, descriptions included: 1.6 MB of JSON. Callers let go of it at once."""
    loaded: dict[str, Any] = orjson.loads(source().read_bytes())["$defs"]
    return loaded


@cache
def fingerprint() -> str:
    """Names what a condensed file was made from."""
    encoding = (Path(__file__).parent / "encoding.json").read_bytes()
    digest = hashlib.blake2b(encoding, digest_size=4).hexdigest()
    return f"{VERSION}-{metadata.version('kubernetes-validate')}-{FORMAT}-{digest}"


def file_names() -> tuple[str, str]:
    """The condensed file for decoding, and that for publishing; named after what they were made from."""
    mark = fingerprint()
    return f"schema-{mark}.bin", f"openapi-{mark}.bin"


def build() -> tuple[bytes, bytes]:
    """The contents of the two condensed files."""
    facts = orjson.loads((Path(__file__).parent / "encoding.json").read_bytes())
    schemas = definitions()
    compact = {name: orjson.dumps(_definition(name, schema, facts.get(name, {}))) for name, schema in schemas.items()}
    full = {name: orjson.dumps(publish.definition(name, schema)) for name, schema in schemas.items()}
    return pack(compact), pack(full)


def main() -> None:
    """Write both files into the cache."""
    for name, content in zip(file_names(), build(), strict=True):
        write_cached(name, content)


def _definition(name: str, schema: dict[str, Any], facts: dict[str, str]) -> Any:
    if name in _SPECIAL:
        return _SPECIAL[name]
    codes = {field: code for code, fields in facts.items() for field in fields.split()}
    required = schema.get("required", ())
    fields: dict[str, list[Any]] = {}
    for key, prop in schema.get("properties", {}).items():
        fields[key] = [_type(prop), codes.get(key) or _encoding(key, prop, required)]
        if strategy := prop.get("x-kubernetes-patch-strategy"):
            fields[key] += [strategy.split(","), prop.get("x-kubernetes-patch-merge-key", "")]
    doc: dict[str, Any] = {"f": fields}
    if schema.get("x-kubernetes-map-type") == "atomic":
        doc["atomic"] = True
    if name in _KEY_DEFAULTS:
        doc["d"] = _KEY_DEFAULTS[name]
    return doc


def _encoding(key: str, prop: dict[str, Any], required: Any) -> str:
    if key in required:
        return t.ALWAYS
    return t.OMIT if _plain(prop) in ("array", "object", "string") else t.POINTER


def _plain(prop: dict[str, Any]) -> str | None:
    kind = prop.get("type")
    return kind[0] if isinstance(kind, list) else kind


def _type(prop: dict[str, Any]) -> Any:
    if "$ref" in prop:
        name = prop["$ref"].rsplit("/", 1)[-1]
        return _SPECIAL.get(name) or {"r": name}
    kind = _plain(prop)
    if kind == "array":
        merge = prop.get("x-kubernetes-list-type", "atomic")
        keys = {"keys": prop["x-kubernetes-list-map-keys"]} if merge == "map" else {}
        return {"l": _type(prop["items"]), "merge": merge, **keys}
    if kind == "object":
        if "additionalProperties" not in prop:
            return t.OBJECT
        atomic = {"atomic": True} if prop.get("x-kubernetes-map-type") == "atomic" else {}
        return {"m": _type(prop["additionalProperties"]), **atomic}
    if kind is None:
        return t.ANY
    return _FORMATS.get(prop.get("format", "")) or _SCALARS[kind]


if __name__ == "__main__":
    main()
