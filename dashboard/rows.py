"""Rows of list pages: what the kind's printer columns say, as compact JSON that is encoded once for all viewers.

A row is `[place, namespace, name, level, reason, created, cells, amounts]`: `place` the index of its storage in the view,
`level` as in `dashboard.levels`, `created` epoch seconds. The columns Name and Age are not cells, since every row has them.
`amounts` only pods and nodes have: requested CPU, its limit, requested memory, its limit, in milli-cores and bytes, 0 where
there is none; of a node what it has are the limits.
A cell that depends on the time of day is `["@", epoch seconds, text before, text after]`: the page lets it grow.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import orjson

from cluster.cache import Cache, Entry
from cluster.store import Key
from dashboard import amounts
from dashboard.levels import judge
from kube import clock
from kube.objects import Json
from kube.pods.resources import in_force
from kube.pods.summary import summarize
from kube.redact.objects import redact
from kube.redact.text import clean
from kube.registry import BUILT_IN, Column, Kind

MAX_CELL = 512
CREATED = frozenset({"Age", "Created At"})
WORKLOADS = (
    "deployments.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "jobs.batch",
    "cronjobs.batch",
    "replicasets.apps",
    "replicationcontrollers",
)
_RESTARTS = re.compile(r"^(\d+) \(.* ago\)$")


def _epoch(text: Any) -> float | None:
    try:
        return clock.parse(text) if isinstance(text, str) else None
    except ValueError:
        return None


Grow = Callable[[Json, Any], Any]
"""From an object and a cell of it, the cell that the page lets grow; or the cell as it is."""


def _restarts(obj: Json, cell: Any) -> Any:
    newest = summarize(obj).last
    return ["@", newest, match[1] + " (", " ago)"] if newest and (match := _RESTARTS.match(str(cell))) else cell


def _since(find: Callable[[Json], Any]) -> Grow:
    """A cell that says how long ago the time is that `find` finds in the object."""

    def grow(obj: Json, cell: Any) -> Any:
        when = _epoch(find(obj))
        return ["@", when, "", ""] if when else cell

    return grow


def _seen(event: Json) -> Any:
    series = event.get("series") or {}
    return series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")


def _started(job: Json) -> Any:
    status = job.get("status") or {}
    return None if status.get("completionTime") else status.get("startTime")


_GROWING: dict[tuple[str, str], Grow] = {
    ("pods", "Restarts"): _restarts,
    ("events", "Last Seen"): _since(_seen),
    ("events.events.k8s.io", "Last Seen"): _since(_seen),
    ("cronjobs.batch", "Last Schedule"): _since(lambda obj: (obj.get("status") or {}).get("lastScheduleTime")),
    ("jobs.batch", "Duration"): _since(_started),
}


def _dates(kind: Kind, cache: Cache) -> dict[str, Grow]:
    """The columns of a custom kind that tell an age: what its definition says of them, by column name."""
    from kube.crd import jsonpath  # late, for memory: only where there are custom kinds

    entry = cache.get(Key("customresourcedefinitions.apiextensions.k8s.io", "", f"{kind.plural}.{kind.group}"))
    versions = entry.object()["spec"]["versions"] if entry else ()
    columns = next((v.get("additionalPrinterColumns") or () for v in versions if v["name"] == kind.version), ())

    def at(path: str) -> Grow:
        return _since(lambda obj: next(iter(jsonpath.find(obj, path)), None))

    return {c["name"]: at(c["jsonPath"]) for c in columns if c.get("type") == "date"}


def header(columns: tuple[Column, ...]) -> list[Json]:
    """The columns as the page gets them, in the order of a row's cells."""
    return [
        {"name": c.name, "type": c.type, "wide": c.priority > 0, "description": c.description[:400]}
        for c in columns
        if not _own(c)
    ]


def _own(column: Column) -> bool:
    return column.name in CREATED or column.format == "name" or column.name == "Name"


class Rows:
    """Encodes rows of one kind; remembers each by revision, as long as someone looks at the kind."""

    def __init__(self, kind: Kind, cache: Cache) -> None:
        self.kind = kind
        self.columns = header(kind.columns)
        self._custom = BUILT_IN.by_storage(kind.storage) is None
        dates = _dates(kind, cache) if self._custom else {}
        self._kept = [
            (i, dates.get(c.name) or _GROWING.get((kind.storage, c.name)))
            for i, c in enumerate(kind.columns)
            if not _own(c)
        ]
        self._rows: dict[tuple[str, str], tuple[int, bytes]] = {}

    def row(self, entry: Entry, place: int = 0) -> bytes:
        """The encoded row of an object."""
        where = entry.key[1:]
        known = self._rows.get(where)
        if known is None or known[0] != entry.revision:
            obj = entry.object()
            if self._custom:
                # Printer columns of a custom resource may point at anything; of those of built-in kinds only texts can hold
                # a credential, such as the message of an event.
                redact(self.kind.storage, obj)
            known = self._rows[where] = (entry.revision, encode(place, entry, obj, self.cells(obj)))
        return known[1]

    def forget(self, entry: Entry) -> None:
        self._rows.pop(entry.key[1:], None)

    def prune(self, cache: Cache) -> None:
        """Forget rows of objects that are gone."""
        self._rows = {place: row for place, row in self._rows.items() if cache.get(Key(self.kind.storage, *place))}

    def cells(self, obj: Json) -> list[Any]:
        """The cells of one (redacted) object in its storage version."""
        cells = self.kind.cells(obj, time.time())
        return [_shown(grow(obj, cells[i]) if grow else cells[i]) for i, grow in self._kept]


def encode(place: int, entry: Entry, obj: Json, cells: list[Any]) -> bytes:
    level, reason = judge(entry.key.storage, obj)
    created = _epoch(entry.meta.creationTimestamp) or 0
    row = [place, entry.key.namespace, entry.key.name, level, clean(str(reason))[:80], created, cells]
    if entry.key.storage == "pods":
        spec = in_force(obj)
        asked, most = amounts.requests(spec), amounts.limits(spec)
        row.append([asked.cpu, most.cpu, asked.memory, most.memory])
    elif entry.key.storage == "nodes":
        have = amounts.allocatable(obj)
        row.append([0, have.cpu, 0, have.memory])
    return orjson.dumps(row, option=orjson.OPT_NON_STR_KEYS)


def _shown(cell: Any) -> Any:
    if cell is None or isinstance(cell, (bool, int, float, list)):
        return cell
    text = clean(str(cell))
    return text if len(text) <= MAX_CELL else text[:MAX_CELL] + "…"


class WorkloadRows(Rows):
    """Rows of the page that shows all kinds of workloads together."""

    def __init__(self, kind: Kind, cache: Cache) -> None:
        super().__init__(kind, cache)
        self.columns = workload_header()

    def cells(self, obj: Json) -> list[Any]:
        storage, spec = self.kind.storage, obj.get("spec") or {}
        template = (spec.get("jobTemplate") or {}).get("spec", {}).get("template") or spec.get("template") or {}
        containers = (template.get("spec") or {}).get("containers") or ()
        images = _shown(", ".join(str(container.get("image", "")) for container in containers))
        return [self.kind.kind, _ready(storage, obj), judge(storage, obj)[1], images]


def workload_header() -> list[Json]:
    return header((Column("Kind"), Column("Ready"), Column("Status"), Column("Images")))


def _ready(storage: str, obj: Json) -> str:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    if storage == "cronjobs.batch":
        return f"{len(status.get('active') or ())} active"
    if storage == "jobs.batch":
        return f"{status.get('succeeded') or 0}/{spec.get('completions') or 1}"
    if storage == "daemonsets.apps":
        return f"{status.get('numberReady') or 0}/{status.get('desiredNumberScheduled') or 0}"
    return f"{status.get('readyReplicas') or 0}/{spec.get('replicas', 1)}"
