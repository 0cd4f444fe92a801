"""A query's tree as Elasticsearch's query DSL, over the mapping of `logs.elastic.template`."""

from __future__ import annotations

from typing import Any

from logs.query import fields, moments
from logs.query.nodes import All, And, AnyOf, Exists, Glob, Node, Not, Or, Range, Words

Json = dict[str, Any]
NEWEST = (1 << 63) - 1   # the last nanosecond that `date_nanos` holds


class NotTogether(ValueError):
    """A label or field is compared as a number and with wildcards in one query: Elasticsearch reads it as one of both."""


class Compiler:
    """`query` and the `runtime_mappings` it needs.

    Labels and JSON fields are `flattened`: whole values are looked up, but they have no numbers and no wildcards. For those
    Elasticsearch reads the value from the document itself, as a field that exists for this request; the time and other
    parts of the query decide first how many documents that is.
    """

    def __init__(self, node: Node) -> None:
        self.runtime: dict[str, Json] = {}
        self.query = self._compile(node)

    def _compile(self, node: Node) -> Json:
        match node:
            case All():
                return {"match_all": {}}
            case And(parts):
                return {"bool": {"filter": [self._compile(part) for part in parts if not isinstance(part, Not)],
                                 "must_not": [self._compile(part.part) for part in parts if isinstance(part, Not)]}}
            case Or(parts):
                return ({"bool": {"should": [self._compile(part) for part in parts], "minimum_should_match": 1}} if parts
                        else {"match_none": {}})
            case Not(part):
                return {"bool": {"must_not": [self._compile(part)]}}
            case Words(text):
                return {"match_phrase": {"message": text}}
            case AnyOf(field, values):
                return {"ids": {"values": list(values)}} if field is fields.ID else {"terms": {path(field): list(values)}}
            case Glob(field, pattern):
                return {"wildcard": {self._read(field, "keyword"): {"value": pattern}}}
            case Exists(field):
                return {"exists": {"field": path(field)}}
            case Range():
                return self._range(node)

    def _range(self, node: Range) -> Json:
        timely = node.field is fields.TIME
        low, high = ("gte" if node.with_low else "gt"), ("lte" if node.with_high else "lt")
        bounds = {name: _moment(bound) if timely else bound
                  for name, bound in ((low, node.low), (high, node.high)) if bound is not None}
        if timely:
            return {"range": {"@timestamp": {**bounds, "format": "strict_date_optional_time_nanos"}}}
        return {"range": {self._read(node.field, "double"): bounds}}

    def _read(self, field: fields.Field, kind: str) -> str:
        """The name of a field that has values of this kind."""
        name = path(field)
        if field.kind == "pair" and self.runtime.setdefault(name, {"type": kind})["type"] != kind:
            raise NotTogether(f"{field.path}.{field.key} can not be a number and a text with wildcards in one query")
        return name


def _moment(nanos: float) -> str:
    return moments.text(max(0, min(NEWEST, int(nanos))))


def path(field: fields.Field) -> str:
    """As the mapping calls it."""
    return f"{field.path}.{field.key}" if field.kind == "pair" else field.path
