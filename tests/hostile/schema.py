"""Values that fit an OpenAPI schema, more or less."""

from __future__ import annotations

from random import Random
from typing import Any

from kube.objects import Json
from tests.hostile import words

_FORMATS = {
    "date-time": ("2026-11-30T10:00:00Z", "2026-11-30T10:00:00.000001Z"),
    "byte": ("", "YWJj"),
    "int-or-string": (80, "http", "25%"),
}


class Schema:
    """`definitions` by name, as the components of OpenAPI documents have them."""

    def __init__(self, definitions: dict[str, Json]) -> None:
        self._definitions = definitions

    def value(self, rng: Random, schema: Json, depth: int = 7) -> Any:
        """A value for a schema; each field that may be left out is there one time in three, less often further down."""
        if rng.random() < 0.01:
            return words.anything(rng)
        if "allOf" in schema:
            schema = schema["allOf"][0]
        if "$ref" in schema:
            schema = self._definitions.get(schema["$ref"].rpartition("/")[2], {})
        if "oneOf" in schema:
            return rng.choice((0, 1, 80, "a", "10m", "1Gi", "50%"))
        kind = schema.get("type", "object")
        if kind == "object":
            return self._object(rng, schema, depth)
        if kind == "array":
            return [
                self.value(rng, schema.get("items", {}), depth - 1) for _ in range(rng.randrange(3) if depth > 0 else 0)
            ]
        if kind == "boolean":
            return rng.random() < 0.5
        if kind in ("integer", "number"):
            return rng.choice((0, 1, 2, 30, 80, 443, 3600)) if rng.random() < 0.9 else rng.choice(words.NUMBERS)
        if choices := schema.get("enum") or _FORMATS.get(schema.get("format", "")):
            return rng.choice(list(choices))
        return rng.choice(("a", "b", "x", "web", "Exists", "example.com/x")) if rng.random() < 0.8 else words.text(rng)

    def _object(self, rng: Random, schema: Json, depth: int) -> Json:
        fields, needed = schema.get("properties", {}), schema.get("required", ())
        if not fields:
            more = schema.get("additionalProperties")
            inner = more if isinstance(more, dict) else {"type": "string"}
            return {
                rng.choice(("a", "app", "cpu", "example.com/x", words.text(rng)[:80])): self.value(
                    rng, inner, depth - 1
                )
                for _ in range(rng.randrange(3))
            }
        chance = 0.33 if depth > 3 else 0.12 if depth > 0 else 0.0
        return {
            name: self.value(rng, part, depth - 1)
            for name, part in fields.items()
            if (name in needed and rng.random() < 0.97) or rng.random() < chance
        }
