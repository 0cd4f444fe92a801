"""Patches: from an object and what a client sent, the object it wants.

`apply` serves the three kinds of patch that need only the old object; server-side apply (which needs the field
managers) is `kube.managedfields.apply`.
"""

from __future__ import annotations

from typing import Any

import orjson

from kube import schema
from kube.errors import ApiError, BadRequest, FieldError, Invalid, UnsupportedMediaType, show
from kube.objects import Json
from kube.patch import gotext, jsonpatch, merge, strategic
from kube.registry import Kind
from kube.schema import Mismatch, definitions, duplicates

JSON = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


def apply(
    kind: Kind, current: Json, patch: Any, content_type: str, field_validation: str = "Ignore"
) -> tuple[Json, list[str]]:
    """The patched object, decoded for its kind, and warnings about unknown fields (see `schema.check`).

    `current` (in the version of `kind`) is used up. `patch` is decoded JSON, or bytes. Raises BadRequest for what is
    no patch, 422 for one that does not fit the object, UnsupportedMediaType for a content type the kind does not take.
    """
    media = content_type.split(";", 1)[0].strip().lower()
    problems = _repeated(patch, media) if field_validation != "Ignore" else []
    patch = decoded(patch, media)
    if media == JSON:
        changed = jsonpatch.apply(current, patch)
    elif media == MERGE:
        changed = merge.apply(current, patch)
    elif media == STRATEGIC and not schema.is_custom(kind.definition):
        changed = strategic.apply(current, patch, definitions.get(kind.definition))
    else:
        raise unsupported(kind)
    return changed, _decode(kind, changed, patch, media, field_validation, problems)


def _repeated(patch: Any, media: str) -> list[str]:
    """What a strict decoder has against the text of a patch: keys that come twice."""
    if not isinstance(patch, bytes | bytearray):
        return []
    try:
        suspected = duplicates.suspected(bytes(patch), orjson.loads(patch))
    except orjson.JSONDecodeError:  # told by whoever decodes it
        return []
    found = duplicates.find(bytes(patch))[1] if suspected else []
    return [f'{"json patch " if media == JSON else ""}duplicate field "{path}"' for path in found]


def unsupported(kind: Kind) -> ApiError:
    """What the kind would take instead."""
    accepted = [JSON, MERGE, APPLY] if schema.is_custom(kind.definition) else [JSON, MERGE, STRATEGIC, APPLY]
    return UnsupportedMediaType(
        "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted)
    )


def decoded(patch: Any, media: str) -> Any:
    """The patch as JSON of the right shape: a list of operations, or an object."""
    prefix = "" if media == STRATEGIC else "error decoding patch: "
    if isinstance(patch, bytes | bytearray | memoryview | str):
        try:
            patch = orjson.loads(patch)
        except orjson.JSONDecodeError as error:
            raise BadRequest(f"{prefix}{schema.json_error(bytes(patch), error)}") from error
    wanted, name = (list, "jsonpatch.Patch") if media == JSON else (dict, "map[string]interface {}")
    if not isinstance(patch, wanted):
        raise BadRequest(f"{prefix}json: cannot unmarshal {gotext.json_type(patch)} into Go value of type {name}")
    return patch


def _decode(kind: Kind, changed: Any, patch: Any, media: str, field_validation: str, problems: list[str]) -> list[str]:
    if not isinstance(changed, dict):
        raise _rejected(
            changed,
            media,
            patch,
            f"json: cannot unmarshal {gotext.json_type(changed)} into Go value of type {kind.kind}",
        )
    version, name = changed.get("apiVersion"), changed.get("kind")
    if (version, name) != (kind.api_version, kind.kind):
        raise _rejected(
            changed,
            media,
            patch,
            f"the object became {version} {name}: a patch cannot change apiVersion "
            f"({kind.api_version}) or kind ({kind.kind})",
        )
    text = orjson.dumps(changed) if field_validation == "Strict" else b""  # before unknown fields are dropped
    mode = "Ignore" if field_validation == "Ignore" else "Warn"
    try:
        warnings = schema.decode_fields(kind, changed, mode, problems)
    except Mismatch as error:
        raise _rejected(changed, media, patch, _restore(error) if media == STRATEGIC else error.message()) from error
    if warnings and field_validation == "Strict":
        detail = "strict decoding error: " + ", ".join(warnings)
        raise _rejected(orjson.loads(text), media, patch, detail)
    if not (isinstance(changed.get("metadata"), dict) and changed["metadata"].get("name")):
        raise BadRequest("the name of the object was undeterminable: name must be provided")
    return warnings


def _rejected(changed: Any, media: str, patch: Any, detail: str) -> ApiError:
    """422 for a patch whose result is no object of the kind. The field is `patch`, the value what was tried."""
    text = gotext.show(patch) if media == STRATEGIC else orjson.dumps(changed).decode()
    return Invalid("", "", [FieldError("FieldValueInvalid", "patch", f"Invalid value: {show(text)}: {detail}")])


def _restore(error: Mismatch) -> str:
    """A type error in the words of the converter that strategic patches go through."""
    if error.wanted.startswith("[]"):
        return f"cannot restore slice from {gotext.go_kind(error.value)}"
    if error.wanted.startswith("map["):
        return f"cannot restore map from {gotext.go_kind(error.value)}"
    if "." in error.wanted:
        return f"cannot restore struct from: {gotext.go_kind(error.value)}"
    return f"unrecognized type: {error.wanted}"
