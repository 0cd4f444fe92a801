"""Packaged definitions turned back into the OpenAPI v3 schemas that a real server publishes.

The package loosened them for validation: every type may be null, `apiVersion` and `kind` are enumerations, references
are local. Clients (`kubectl explain`, `apply`) want the original shape.
"""

from __future__ import annotations

from typing import Any

PREFIX = "#/components/schemas/"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_QUANTITY_TEXT = (
    "A quantity of a resource: a number with an optional suffix: binary (Ki, Mi, Gi, Ti, Pi, Ei), "
    "decimal (n, u, m, k, M, G, T, P, E) or an exponent (e3). It is kept in canonical form."
)


def definition(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """One definition, fit for `components.schemas`."""
    if name == _INT_OR_STRING:
        return {
            "description": "An integer or a string.",
            "format": "int-or-string",
            "oneOf": [{"type": "integer"}, {"type": "string"}],
        }
    if name == _QUANTITY:
        return {"description": _QUANTITY_TEXT, "oneOf": [{"type": "string"}, {"type": "number"}]}
    return _schema(schema)


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "type":
            result[key] = value[0] if isinstance(value, list) else value
        elif key == "properties":
            result[key] = {name: _schema(prop) for name, prop in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            result[key] = _schema(value)
        elif key == "$ref":
            target = {"$ref": PREFIX + value.rsplit("/", 1)[-1]}
            result.update(target if len(schema) == 1 else {"allOf": [target]})
        elif key != "enum":
            result[key] = value
    return result
