"""What of a document is indexed, and how. The document itself is stored as it came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import tantivy

from logs.pairs import MAX_VALUE, number, pairs
from logs.query import fields, moments
from logs.record import LEVELS, SOURCES

MAX_WORD = 255
MAX_MESSAGE = 1 << 20
# Words as Unicode's rules cut them (UAX 29), which Elasticsearch's standard analyzer follows: 10.0.0.5 and a.b.C are one.
WORD = r"(?:\p{L}(?:[.:'’·]\p{L})+|\p{Nd}(?:[.,;'’]\p{Nd})+|\w)+"
COLUMNS = {field: field.path.removeprefix("kubernetes.").replace(".", "_") for field in fields.KEYWORDS}
# The same by where they are in a document: (name there, name here) at its top, in `kubernetes`, and in the workload.
_PLACES = tuple(
    tuple(
        (field.path.rpartition(".")[2], name)
        for field, name in COLUMNS.items()
        if field.path.rpartition(".")[0] == parent
    )
    for parent in ("", "kubernetes", "kubernetes.workload")
)


class BadDocument(ValueError):
    """A document that cannot be kept; the text names the field."""


def schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("time", indexed=True, fast=True)  # nanoseconds
    builder.add_integer_field("ms", fast=True)  # histograms count in floats, which hold no nanoseconds
    builder.add_unsigned_field("seq", indexed=True, fast=True)  # in the order of arrival, for followers
    builder.add_text_field("message", tokenizer_name="words", index_option="position")
    for name in COLUMNS.values():
        builder.add_text_field(name, tokenizer_name="raw", fast=True, index_option="basic")
    builder.add_text_field("pairs", tokenizer_name="raw", index_option="basic")  # key=value
    builder.add_text_field("numbers", tokenizer_name="raw", fast=True, index_option="basic")  # see `logs.pairs.number`
    builder.add_bytes_field("body", stored=True)
    return builder.build()


def analyzer() -> tantivy.TextAnalyzer:
    """Messages to words."""
    filters = tantivy.Filter
    return (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.regex(WORD))
        .filter(filters.lowercase())
        .filter(filters.remove_long(MAX_WORD))
        .build()
    )


def document(line: bytes) -> tuple[str, int, tantivy.Document]:
    """Id, time and index entry (without `seq`) of one line of `/ingest`. Raises BadDocument."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadDocument(f"no JSON: {error}") from error
    if not isinstance(found, dict):
        raise BadDocument("a document is a JSON object")
    if not isinstance(found.get("kubernetes") or {}, dict):
        raise BadDocument("kubernetes: an object is needed")
    name = found.get("_id")
    if not isinstance(name, str) or not 0 < len(name) <= 64:
        raise BadDocument("_id: 1 to 64 characters are needed")
    written = found.get("@timestamp")
    try:
        if not isinstance(written, str) or not written[:2].isdigit():
            raise ValueError(f"{str(written)[:40]!r} is no time: RFC 3339 in UTC with nine digits is needed")
        nanos = moments.nanoseconds(written)
    except ValueError as error:
        raise BadDocument(f"@timestamp: {error}") from error
    message = found.get("message", "")
    if not isinstance(message, str) or len(message) > MAX_MESSAGE:
        raise BadDocument(f"message: a text of at most {MAX_MESSAGE} characters is needed")
    entry = tantivy.Document()
    entry.add_text("id", name)
    entry.add_integer("time", nanos)
    entry.add_integer("ms", nanos // 1_000_000)
    entry.add_text("message", message)
    _add_columns(entry, found)
    for key, value in pairs(found):
        entry.add_text("pairs", f"{key}={value}")
        if text := number(key, value):
            entry.add_text("numbers", text)
    entry.add_bytes("body", line if line.startswith(b'{"_id":"') else orjson.dumps({"_id": name, **found}))
    return name, nanos, entry


def _add_columns(entry: tantivy.Document, found: Mapping[str, Any]) -> None:
    if found.get("level", "info") not in LEVELS or found.get("source") not in SOURCES:
        raise BadDocument(f"level is one of {', '.join(LEVELS)} or absent, source one of {', '.join(SOURCES)}")
    # Walked by hand, not by paths: this is where the time of taking lines in goes.
    kubernetes: Any = found.get("kubernetes") or {}
    workload = kubernetes.get("workload")
    workload = workload if isinstance(workload, dict) else {}
    for holder, names in zip((found, kubernetes, workload), _PLACES, strict=True):
        for key, name in names:
            value = holder.get(key)
            if value and isinstance(value, str) and len(value) <= MAX_VALUE:
                entry.add_text(name, value)
