"""What is said of a CRD that is accepted although a part of its schemas will have no effect."""

from __future__ import annotations

from kube.crd import definition, formats, lists
from kube.objects import Json

_OF_NUMBERS = {"integer": ("int32", "int64"), "number": ("float", "double")}


def of_schemas(crd: Json) -> list[str]:
    """The warnings about the schemas of all versions, each once."""
    parts = list(definition.parts(crd))
    odd = [f'unrecognized format "{part["format"]}"' for part in parts if part.get("format") and not _is_known(part)]
    sets = {
        f'x-kubernetes-list-type: set for items of type "{part["items"]["type"]}" is not supported by server-side apply '
        "or CEL validation rules"
        for part in parts
        if lists.is_set_of_parts(part)
    }
    return [*dict.fromkeys(odd), *sorted(sets)]


def _is_known(schema: Json) -> bool:
    kind = schema.get("type") or "string"
    return formats.is_known(schema["format"]) if kind == "string" else schema["format"] in _OF_NUMBERS.get(kind, ())
