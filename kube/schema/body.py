"""Request bodies: JSON, YAML or protobuf to an object, with errors in the words of kube-apiserver."""

from __future__ import annotations

from typing import Any

import orjson

from kube import yamltext
from kube.errors import BadRequest, UnsupportedMediaType
from kube.schema import duplicates

_HEADER = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
PROTOBUF = "application/vnd.kubernetes.protobuf"
_GO_TYPES = {str: "string", list: "array", int: "number", float: "number", bool: "bool"}


def parse(raw: bytes, content_type: str, kind: str) -> tuple[dict[str, Any], list[str]]:
    """The object in a body, and what strict decoding objects to (`duplicate field "data.a"`).

    `kind` is the Kind expected, for the message. `null` is an empty object. Raises BadRequest, UnsupportedMediaType.
    """
    media = content_type.split(";", 1)[0].strip().lower()
    if media in ("application/yaml", "application/x-yaml", "text/yaml"):
        repeated: list[str] = []
        try:
            obj = _object(raw, yamltext.parse(raw, repeated), kind)
            return obj, [yamltext.strict_error(repeated)] if repeated else []
        except yamltext.YamlError as error:
            raise _unrecognized(kind, str(error), raw) from error
    if media == PROTOBUF:
        from kube import protobuf  # only in processes that are sent such bodies

        return protobuf.decode(raw), []
    if media not in ("", "application/json", "*/*"):
        raise UnsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json, application/yaml"
        )
    try:
        obj = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise _unrecognized(
            kind, f"couldn't get version/kind; json parse error: {json_error(raw, error)}", raw
        ) from error
    obj = _object(raw, obj, kind)
    if duplicates.suspected(raw, obj):
        obj, found = duplicates.find(raw)
        return obj, [f'duplicate field "{path}"' for path in found]
    return obj, []


def _unrecognized(kind: str, detail: str, raw: bytes) -> BadRequest:
    if raw.lstrip()[:1] == b"{":  # it looks like JSON: shown as text, else as hex
        start = raw[:30].decode(errors="replace") + (" ..." if len(raw) > 30 else "")
    else:
        start = raw[:15].hex() + (" ..." if len(raw) > 15 else "") if raw else "<empty>"
    return BadRequest(f"the object provided is unrecognized (must be of type {kind}): {detail} ({start})")


def _object(raw: bytes, value: Any, kind: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        detail = f"json: cannot unmarshal {_GO_TYPES[type(value)]} into Go value of type {_HEADER}"
        raise _unrecognized(kind, f"couldn't get version/kind; json parse error: {detail}", raw)
    return value


def json_error(raw: bytes, error: orjson.JSONDecodeError) -> str:
    """A syntax error as Go's JSON scanner words it."""
    text = raw.decode(errors="replace")
    rest = text[error.pos :].lstrip() if error.pos < len(text) else ""
    if not rest or not text.strip() or "unexpected end" in error.msg:
        return "unexpected end of JSON input"
    where = "after top-level value" if "after document" in error.msg else "looking for beginning of value"
    return f"invalid character {rest[0]!r} {where}"
