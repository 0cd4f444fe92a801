"""Tables: what `kubectl get` shows, made of a kind's columns and cells."""

from __future__ import annotations

import secrets
import time
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from apiserver import partial
from cluster.cache import Entry
from kube import clock
from kube.objects import Json
from kube.registry import Kind

INCLUDE = ("", "None", "Metadata", "Object")
_FAR = 1e9  # seconds: whatever depends on the time looks different then
_MARK = f"age-{secrets.token_hex(16)}"  # nobody can write it into an object, since nobody knows it
_ENCODED_MARK = orjson.dumps(_MARK)


def definitions(kind: Kind) -> list[Json]:
    """The column definitions of a kind."""
    return [
        {"name": c.name, "type": c.type, "format": c.format, "description": c.description, "priority": c.priority}
        for c in kind.columns
    ]


@lru_cache(maxsize=512)
def _definitions_text(kind: Kind) -> bytes:
    return orjson.dumps(definitions(kind))


def row(kind: Kind, obj: Json, now: float, version: str, include: str) -> Json:
    """One row; `include`: how much of the object goes with it (None, Metadata, Object)."""
    made: Json = {"cells": kind.cells(obj, now)}
    made["object"] = obj if include == "Object" else None if include == "None" else partial.of_object(obj, version)
    return made


def of_object(kind: Kind, obj: Json, version: str = "v1", include: str = "", headless: bool = False) -> Json:
    """A table of one object. `headless`: without column definitions, as later events of a watch have it."""
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": {"resourceVersion": obj["metadata"].get("resourceVersion", "")},
        "columnDefinitions": None if headless else definitions(kind),
        "rows": [row(kind, obj, time.time(), version, include)],
    }


def of_items(kind: Kind, items: list[Json], version: str, include: str) -> Json:
    """A table of objects that are not stored."""
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": {},
        "columnDefinitions": definitions(kind),
        "rows": [row(kind, item, time.time(), version, include) for item in items],
    }


def of_list(kind: Kind, entries: list[Entry], metadata: bytes, version: str, include: str) -> tuple[bytes, list[bytes]]:
    """The table of a list, encoded: its beginning, and the rows; `metadata` is the list's, encoded."""
    rows = RENDERED.rows(kind, entries, time.time(), version, include)
    return b"".join(
        (
            b'{"kind":"Table","apiVersion":"meta.k8s.io/',
            version.encode(),
            b'","metadata":',
            metadata,
            b',"columnDefinitions":',
            _definitions_text(kind),
            b',"rows":[',
        )
    ), rows


class Row(NamedTuple):
    """An encoded row of one revision. `pieces` are what stands around its ages; `until` is when the rest turns stale."""

    revision: int
    created: float
    pieces: list[bytes]
    until: float

    def at(self, now: float) -> bytes:
        if len(self.pieces) == 1:
            return self.pieces[0]
        return f'"{clock.human(now - self.created)}"'.encode().join(self.pieces)


class Rendered:
    """Rows already rendered, per object and revision.

    Cells depend on the time only in ages. The age of the object itself is filled in at each use; a row with another
    time in it (a restart "5m ago", a running job's duration) is made anew after a second.
    """

    LIMIT = 50_000

    def __init__(self) -> None:
        self._rows: dict[tuple[Any, ...], Row] = {}

    def rows(self, kind: Kind, entries: list[Entry], now: float, version: str, include: str) -> list[bytes]:
        """The encoded rows of these objects, in order."""
        rows, made = self._rows, []
        for entry in entries:
            key = (kind, entry.key, version, include)
            known = rows.get(key)
            if known is None or known.revision != entry.revision or known.until < now:
                known = render(kind, entry, now, version, include)
                if len(rows) >= self.LIMIT:
                    rows.clear()
                rows[key] = known
            made.append(known.at(now))
        return made


def render(kind: Kind, entry: Entry, now: float, version: str, include: str) -> Row:
    """The row of an object, with a mark in place of every cell that shows its age."""
    obj = kind.from_storage(entry.object())
    made = row(kind, obj, now, version, include)
    cells = made["cells"]
    created = clock.parse(entry.meta.creationTimestamp) if entry.meta.creationTimestamp else now
    age, lasts = clock.human(now - created), float("inf")
    for at, later in enumerate(kind.cells(obj, now + _FAR)):
        if later != cells[at]:
            if cells[at] == age:
                cells[at] = _MARK
            else:
                lasts = 1.0
    return Row(entry.revision, created, orjson.dumps(made).split(_ENCODED_MARK), now + lasts)


RENDERED = Rendered()
