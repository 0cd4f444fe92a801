"""Request bodies: JSON, YAML or protobuf to an object, with errors in the words of kube-apiserver."""

from __future__ import annotations

import re
from typing import Any

import orjson

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
        return _object(raw, _yaml(raw, kind), kind), []
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
    return BadRequest(f"the object provided is unrecognized (must be of type {kind}): {detail} ({_excerpt(raw)})")


def _object(raw: bytes, value: Any, kind: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        detail = f"json: cannot unmarshal {_GO_TYPES[type(value)]} into Go value of type {_HEADER}"
        raise _unrecognized(kind, f"couldn't get version/kind; json parse error: {detail}", raw)
    return value


def _excerpt(raw: bytes) -> str:
    """The start of a body: as text if it looks like JSON, else as hex."""
    if not raw:
        return "<empty>"
    if raw.lstrip()[:1] == b"{":
        return raw[:30].decode(errors="replace") + (" ..." if len(raw) > 30 else "")
    return raw[:15].hex() + (" ..." if len(raw) > 15 else "")


def json_error(raw: bytes, error: orjson.JSONDecodeError) -> str:
    """A syntax error as Go's JSON scanner words it."""
    text = raw.decode(errors="replace")
    rest = text[error.pos :].lstrip() if error.pos < len(text) else ""
    if not rest or not text.strip() or "unexpected end" in error.msg:
        return "unexpected end of JSON input"
    where = "after top-level value" if "after document" in error.msg else "looking for beginning of value"
    return f"invalid character {rest[0]!r} {where}"


def _yaml(raw: bytes, kind: str) -> Any:
    import yaml

    try:
        return _plain(yaml.load(raw, _loader()))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {max(mark.line, 1)}: " if mark else ""
        raise _unrecognized(kind, f"yaml: {line}{getattr(error, 'problem', None) or error}", raw) from error
    except RecursionError as error:
        raise BadRequest("the YAML body is nested too deeply") from error


_loader_class: Any = None


def _loader() -> Any:
    """A safe loader with the booleans of YAML 1.1 (`y`, `on`) as Go's decoder has them, and times left as text."""
    global _loader_class
    if _loader_class is None:
        import yaml

        class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
            yaml_implicit_resolvers = {
                first: [(tag, rule) for tag, rule in rules if not tag.endswith(":timestamp")]
                for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
            }

            bool_values = {**yaml.SafeLoader.bool_values, "y": True, "n": False}

        Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:y|Y|n|N)$"), list("yYnN"))
        _loader_class = Loader
    return _loader_class


def _plain(value: Any) -> Any:
    """YAML's values as JSON has them: keys are strings, no sets or dates."""
    if isinstance(value, dict):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return key if isinstance(key, str) else str(key)
