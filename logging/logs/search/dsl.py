"""A query's tree as Elasticsearch's query DSL, over the mapping of `logs.elastic.template`."""

from __future__ import annotations

import re

from kube import clock
from kube.objects import Json
from logs.elastic.template import NUMBERS
from logs.pairs import sortable, tag
from logs.query import fields
from logs.query.nodes import All, And, AnyOf, Exists, Glob, Node, Not, Or, Range, Words

_BEGINNING = re.compile(r"((?:[^*?\\]|\\.)*)\*", re.S)  # a glob that only asks how a value begins
_ESCAPED = re.compile(r"\\(.)", re.S)
NEWEST = (1 << 63) - 1  # the last nanosecond that `date_nanos` holds


class Compiler:
    """`query` and the `runtime_mappings` it needs.

    Labels and JSON fields are `flattened`: whole values and their beginnings are looked up, and numbers are in a column of
    their own. Other wildcards are not for one key of `flattened`: Elasticsearch reads the value from the document itself, as
    a field that exists for this request; what else the query asks for decides first how many documents that is.
    """

    def __init__(self, node: Node) -> None:
        self.runtime: dict[str, Json] = {}
        self.query = self._compile(node)

    def _compile(self, node: Node) -> Json:
        match node:
            case All():
                return {"match_all": {}}
            case And(parts):
                return {
                    "bool": {
                        "filter": [self._compile(part) for part in parts if not isinstance(part, Not)],
                        "must_not": [self._compile(part.part) for part in parts if isinstance(part, Not)],
                    }
                }
            case Or(parts):
                return (
                    {"bool": {"should": [self._compile(part) for part in parts], "minimum_should_match": 1}}
                    if parts
                    else {"match_none": {}}
                )
            case Not(part):
                return {"bool": {"must_not": [self._compile(part)]}}
            case Words(text):
                return {"match_phrase": {"message": text}}
            case AnyOf(field, values):
                return (
                    {"ids": {"values": list(values)}} if field is fields.ID else {"terms": {path(field): list(values)}}
                )
            case Glob(field, pattern):
                name = path(field)
                if field.kind != "pair":
                    return _wildcard(name, pattern)
                if begins := _BEGINNING.fullmatch(pattern):
                    return {"prefix": {name: _ESCAPED.sub(r"\1", begins[1])}}
                self.runtime[name] = {"type": "keyword"}
                # Whether any value fits, whatever its key, is in the index: only those documents are read.
                return {"bool": {"filter": [_wildcard(field.path, pattern), _wildcard(name, pattern)]}}
            case Exists(field):
                return {"exists": {"field": path(field)}}
            case Range():
                return self._range(node)

    def _range(self, node: Range) -> Json:
        low, high = ("gte" if node.with_low else "gt"), ("lte" if node.with_high else "lt")
        if node.field is fields.TIME:
            bounds = {
                name: clock.stamp_nano(max(0, min(NEWEST, int(bound))))
                for name, bound in ((low, node.low), (high, node.high))
                if bound is not None
            }
            return {"range": {"@timestamp": {**bounds, "format": "strict_date_optional_time_nanos"}}}
        first = sortable(float("-inf") if node.low is None else node.low)
        last = sortable(float("inf") if node.high is None else node.high)
        of = tag(node.field)
        return {"range": {NUMBERS: {low: of + first, high: of + last}}}


def _wildcard(name: str, pattern: str) -> Json:
    return {"wildcard": {name: {"value": pattern}}}


def path(field: fields.Field) -> str:
    """As the mapping calls it."""
    return f"{field.path}.{field.key}" if field.kind == "pair" else field.path
