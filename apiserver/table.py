"""Tables: what `kubectl get` shows, made of a kind's columns and cells."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import orjson

from apiserver import partial
from cluster.cache import Entry
from cluster.registry import Kind

Json = dict[str, Any]

INCLUDE = ("", "None", "Metadata", "Object")


def definitions(kind: Kind) -> list[Json]:
    """The column definitions of a kind."""
    return [{"name": c.name, "type": c.type, "format": c.format, "description": c.description, "priority": c.priority}
            for c in kind.columns]


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
    return {"kind": "Table", "apiVersion": f"meta.k8s.io/{version}",
            "metadata": {"resourceVersion": obj["metadata"].get("resourceVersion", "")},
            "columnDefinitions": None if headless else definitions(kind),
            "rows": [row(kind, obj, time.time(), version, include)]}


def of_list(kind: Kind, entries: list[Entry], metadata: bytes, version: str, include: str) -> bytes:
    """The table of a list, encoded; `metadata` is the list's, encoded."""
    rows = RENDERED.rows(kind, entries, time.time(), version, include)
    return b"".join((b'{"kind":"Table","apiVersion":"meta.k8s.io/', version.encode(), b'","metadata":', metadata,
                     b',"columnDefinitions":', _definitions_text(kind), b',"rows":[', b",".join(rows), b"]}"))


class Rendered:
    """Rows already rendered, per object and revision.

    Cells depend on the time only in ages, which change slowly: a row is made anew when its object changed, or when it
    is older than a fraction of the object's age, so that no age shown is off by what a reader could see.
    """

    LIMIT = 50_000

    def __init__(self) -> None:
        self._rows: dict[tuple[Any, ...], tuple[int, float, bytes]] = {}

    def rows(self, kind: Kind, entries: list[Entry], now: float, version: str, include: str) -> list[bytes]:
        """The encoded rows of these objects, in order."""
        rows, made = self._rows, []
        for entry in entries:
            key = (kind, entry.key, version, include)
            known = rows.get(key)
            if known is None or known[0] != entry.revision or known[1] < now:
                known = self._render(kind, entry, now, version, include)
                if len(rows) >= self.LIMIT:
                    rows.clear()
                rows[key] = known
            made.append(known[2])
        return made

    def _render(self, kind: Kind, entry: Entry, now: float, version: str, include: str) -> tuple[int, float, bytes]:
        obj = kind.from_storage(entry.object())
        return entry.revision, now + _lasts(entry, now), orjson.dumps(row(kind, obj, now, version, include))


def _lasts(entry: Entry, now: float) -> float:
    """Seconds for which a row's ages stay right: seconds are shown up to ten minutes, then minutes, then hours."""
    from cluster import clock

    created = entry.meta.creationTimestamp
    age = now - clock.parse(created) if created else 0.0
    if age < 600:
        return 1.0
    return 20.0 if age < 3 * 3600 else 60.0


RENDERED = Rendered()
