"""YAML as Kubernetes reads it: to what JSON could say, in time and memory linear to its length.

The words, numbers and booleans are those of Go's decoder (YAML 1.1 without sexagesimal numbers; times stay text). A body may
come from anybody, so nothing here recurses; depth is bounded, and aliases are refused when they make much of little.
"""

from __future__ import annotations

import base64
import binascii
import marshal
import math
import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    import yaml

MAX_DEPTH = 250  # as deep as our JSON may be written
MAX_NODES = 100_000  # some 10 µs each; a body of the largest size in JSON is read in a hundredth of that
FREE, RATIO = (
    10_000,
    10,
)  # nodes, and characters, that aliases may stand for in any case; more in proportion to the text
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], True),
    **dict.fromkeys(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_INTEGER = re.compile(r"[-+]?(?:0[bB][01]+|0[oO]?[0-7]+|0[xX][0-9a-fA-F]+|[1-9][0-9]*|0)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NUMERIC = frozenset("0123456789+-.")
_TAG = "tag:yaml.org,2002:"
_MERGE = object()  # the key `<<`


class YamlError(ValueError):
    """What is wrong, and in which line, as Go's decoder says it."""


def parse(raw: bytes, repeated: list[str] | None = None) -> Any:
    """The first document of a text: dicts with strings as keys, lists, strings, numbers, booleans, None. Raises YamlError.

    Of keys that come twice the last one counts; `repeated` collects them, as Go's strict decoder names them.
    """
    if raw[:1] == b"{" and repeated is None:  # as kubectl and client-go send an apply: JSON, which is YAML too
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError:
            pass
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Document(repeated).build(yaml.parse(raw, Loader=loader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {max(mark.line, 1)}: " if mark else ""
        raise YamlError(f"yaml: {line}{getattr(error, 'problem', None) or error}") from error
    except UnicodeError as error:  # a lone half of a surrogate pair
        raise YamlError(f"yaml: invalid Unicode: {error}") from error


@cache
def _dumper() -> Any:
    """A safe dumper that quotes every text which Go's decoder would take for something else, such as `y`."""
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def represent(dumper: Any, text: str) -> Any:
        return dumper.represent_scalar(
            f"{_TAG}str", text, None if isinstance(_plain(text), str) and text != "<<" else '"'
        )

    Dumper.add_representer(str, represent)
    return Dumper


def write(value: Any) -> bytes:
    """JSON's values as YAML, keys in order."""
    import yaml

    return yaml.dump(value, Dumper=_dumper(), sort_keys=True).encode()


class _Open:
    """A sequence or mapping that is being read, with the nodes and characters it has by now."""

    __slots__ = ("anchor", "key", "merged", "nodes", "size", "value", "waits")

    def __init__(self, value: Any, anchor: str | None) -> None:
        self.value, self.anchor, self.nodes, self.size = value, anchor, 1, 0
        self.key: Any = None
        self.waits = False  # a key has come, its value not
        self.merged: list[dict[str, Any]] = []


class _Document:
    def __init__(self, repeated: list[str] | None) -> None:
        self._repeated = repeated
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int, int] | None] = {}  # value, nodes, characters; None: still open
        self._root: Any = None
        self._own, self._own_size = 0, 0  # nodes and characters that were written
        self._borrowed, self._borrowed_size = 0, 0  # that aliases stand for

    def build(self, events: Iterable[Any]) -> Any:
        import yaml

        for event in events:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._written(event, len(event.value))
                self._add(_scalar(event, self._is_key()), 1, len(event.value), event)
                if event.anchor:
                    self._anchors[event.anchor] = (_scalar(event, False), 1, len(event.value))
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._written(event, 0)
                if len(self._open) >= MAX_DEPTH:
                    raise _error(event, f"exceeded max depth of {MAX_DEPTH}")
                if event.anchor:
                    self._anchors[event.anchor] = None
                self._open.append(_Open({} if kind is yaml.MappingStartEvent else [], event.anchor))
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._close(event)
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentEndEvent:
                break
        return self._root

    def _written(self, event: yaml.Event, size: int) -> None:
        self._own += 1
        self._own_size += size
        if self._own > MAX_NODES:
            raise _error(event, f"has more than {MAX_NODES} values: send it as JSON")

    def _is_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and not self._open[-1].waits

    def _close(self, event: yaml.Event) -> None:
        done = self._open.pop()
        if done.merged:
            sources: dict[str, Any] = {}
            for source in reversed(done.merged):  # of several, the first one wins
                sources |= source
            done.value = sources | done.value
        if done.anchor:
            self._anchors[done.anchor] = (done.value, done.nodes, done.size)
        self._add(done.value, done.nodes, done.size, event)

    def _alias(self, event: yaml.AliasEvent) -> None:
        if event.anchor not in self._anchors:
            raise _error(event, f"unknown anchor '{event.anchor}' referenced")
        known = self._anchors[event.anchor]
        if known is None:
            raise _error(event, f"anchor '{event.anchor}' value contains itself")
        value, nodes, size = known
        self._borrowed += nodes
        self._borrowed_size += size
        if self._borrowed > max(FREE, RATIO * self._own) or self._borrowed_size > max(FREE, RATIO * self._own_size):
            raise _error(event, "document contains excessive aliasing")
        self._add(marshal.loads(marshal.dumps(value)), nodes, size, event)  # a copy: each may be changed

    def _add(self, value: Any, nodes: int, size: int, event: yaml.Event) -> None:
        if not self._open:
            self._root = value
            return
        place = self._open[-1]
        place.nodes += nodes
        place.size += size
        if isinstance(place.value, list):
            place.value.append(value)
        elif not place.waits:
            if isinstance(value, dict | list) or value is None:
                raise _error(event, f"invalid map key: {str(value)[:50]}")
            place.key, place.waits = value, True
            if self._repeated is not None and value is not _MERGE and _key(value) in place.value:
                mark = event.start_mark
                self._repeated.append(f'line {mark.line + 1 if mark else 0}: key "{_key(value)}" already set in map')
        else:
            place.waits = False
            if place.key is not _MERGE:
                place.value[_key(place.key)] = value
                return
            sources = value if isinstance(value, list) else [value]
            if not all(isinstance(source, dict) for source in sources):
                raise _error(event, "map merge requires map or sequence of maps as the value")
            place.merged += sources


def _scalar(event: yaml.ScalarEvent, key: bool) -> Any:
    text: str = event.value
    tag: str = event.tag or ""
    if tag == f"{_TAG}binary":
        try:
            return base64.b64decode(text, validate=False).decode(errors="replace")
        except binascii.Error:
            raise _error(event, "!!binary value contains invalid base64 data") from None
    if not event.implicit[0] and tag not in (f"{_TAG}int", f"{_TAG}float", f"{_TAG}bool", f"{_TAG}null"):
        return text
    if key and text == "<<" and not tag:
        return _MERGE
    value = _plain(text)
    if isinstance(value, float) and not math.isfinite(value):
        raise _error(
            event, f"json: unsupported value: {'NaN' if math.isnan(value) else '+Inf' if value > 0 else '-Inf'}"
        )
    return value


def _plain(text: str) -> Any:
    """A word that is not quoted: a number, a boolean, nothing, else text."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC:
        return text
    digits = text.replace("_", "")
    if _INTEGER.match(digits):
        bare = digits.lstrip("+-").lower()
        base = {"0x": 16, "0b": 2, "0o": 8}.get(bare[:2], 8 if bare[0] == "0" and len(bare) > 1 else 10)
        number = int(bare[2:] if bare[:2] in ("0x", "0b", "0o") else bare, base) if len(bare) < 100 else 1 << 64
        number = -number if digits[0] == "-" else number
        if -(1 << 63) <= number < 1 << 64:
            return number
    if _FLOAT.match(digits):
        value = float(digits)
        return int(value) if value.is_integer() and abs(value) < 1 << 53 else value
    return text


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return key if isinstance(key, str) else str(key)


def _error(event: yaml.Event, problem: str) -> YamlError:
    mark = event.start_mark
    return YamlError(f"yaml: line {mark.line + 1}: {problem}" if mark else f"yaml: {problem}")


def strict_error(repeated: list[str]) -> str:
    """What Go's strict decoder says of keys that come twice."""
    return "yaml: unmarshal errors:\n  " + "\n  ".join(repeated)
