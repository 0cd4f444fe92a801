"""What pods and nodes use now, for lists and the overview: metrics.k8s.io, as `kubectl top` reads it, and with its rights.

A page asks `{"op": "usage", "id", "kind": "pods" or "nodes", "ns", "rows"}`. `rows` are `[namespace, name]` of what is on
the screen, or null for all (a list sorted by usage). The answer: `{"rows": [[namespace, name, cpu, memory, measured]],
"refused": namespaces of `rows` that the user may not see}`, in milli-cores, bytes and epoch seconds; to `"sum": true` also
`"total": [cpu, memory, newest]` of all that the user may see, in the namespaces `ns`. Or `{"silent": why, "text"}`.

The whole table is read once in `KEEP` seconds for all viewers, and only while somebody looks: the API server asks the
kubelets no more often than that. Of ten thousand pods only those are worked out that somebody asked about.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, NamedTuple

import msgspec

from cluster.store import Key
from dashboard import api
from dashboard.access import Access, Scope, within
from dashboard.services import Silent
from dashboard.source import PerSource, Source
from kube import clock, quantity
from kube.objects import Json

Place = tuple[str, str]  # namespace, name
KINDS = {"pods": True, "nodes": False}  # whether in namespaces
GROUP = "metrics.k8s.io"
SERVED = Key("apiservices.apiregistration.k8s.io", "", f"v1beta1.{GROUP}")
KEEP = 10.0
PATIENCE = 15.0  # seconds for an answer: the API server asks every kubelet, and a slow one for 3 s
MAX_ROWS = 500  # asked for by name
MAX_TABLES = 32  # of one cluster: one a kind, and one a namespace that is looked at alone


class Use(NamedTuple):
    """`cpu` in milli-cores, `memory` in bytes, `measured` in epoch seconds."""

    cpu: int
    memory: int
    measured: float


class _Meta(msgspec.Struct):
    name: str
    namespace: str = ""


class _Container(msgspec.Struct):
    usage: dict[str, str]


class Item(msgspec.Struct):
    """A PodMetrics or NodeMetrics."""

    metadata: _Meta
    timestamp: str
    usage: dict[str, str] | None = None
    containers: list[_Container] = []

    def use(self) -> Use:
        """Raises ValueError."""
        parts = [self.usage] if self.usage is not None else [one.usage for one in self.containers]
        return Use(
            sum(quantity.milli(part.get("cpu", "0")) for part in parts),
            sum(quantity.units(part.get("memory", "0")) for part in parts),
            clock.parse(self.timestamp),
        )


class _Items(msgspec.Struct):
    items: list[Item]


Uses = dict[Place, Item]
_decoder = msgspec.json.Decoder(_Items)


def uses_of(body: bytes) -> Uses:
    """A PodMetricsList or NodeMetricsList. Raises ValueError."""
    return {(item.metadata.namespace, item.metadata.name): item for item in _decoder.decode(body).items}


class Meter:
    """The tables of one cluster. Who asks while one is being read waits for that."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._reading: dict[tuple[str, str], tuple[float, asyncio.Task[Uses]]] = {}

    async def read(self, kind: str, namespace: str) -> Uses:
        """The table of `pods` (of one namespace, or "" for all) or `nodes`. Raises Silent."""
        if not self.source.local:
            raise Silent("off", "What an attached cluster uses cannot be read from here.")
        if self.source.cache.get(SERVED) is None:
            raise Silent("off", "The addon metrics is switched off: what pods and nodes use is not measured.")
        now, place = time.monotonic(), (kind, namespace)
        self._reading = {
            of: known
            for of, known in self._reading.items()
            if not known[1].done() or (now - known[0] < KEEP and not known[1].exception())
        }
        if place not in self._reading:
            if len(self._reading) >= MAX_TABLES:
                place = (kind, "")
            task = asyncio.create_task(asyncio.to_thread(lambda: uses_of(api.resource_metrics(*place, PATIENCE))))
            self._reading.setdefault(place, (now, task))
        try:
            return await asyncio.shield(self._reading[place][1])
        except (api.Unreachable, ValueError, KeyError) as error:
            raise Silent("away", f"No figures of what {kind} use: {error}") from error


meter_of = PerSource(Meter)
"""The meter of a cluster."""


async def usage(access: Access, message: Json) -> Json:
    """The answer to a page. Raises PermissionError, LookupError, ValueError."""
    kind, asked = str(message.get("kind")), _asked(message.get("rows"))
    if kind not in KINDS:
        raise LookupError(f"what {kind[:40]!r} use is not measured")
    namespaces = frozenset(filter(None, str(message.get("ns") or "").split(","))) if KINDS[kind] else frozenset[str]()
    storage = f"{kind}.{GROUP}"
    scope: Scope
    if KINDS[kind]:
        scope = access.where("list", storage)
    else:
        scope = None if access.allows("list", storage) else frozenset()
    if scope is not None and not (scope & namespaces if namespaces else scope):
        raise PermissionError(f"you may not list {kind}.{GROUP}")
    try:
        uses = await meter_of(access.source).read(kind, next(iter(namespaces)) if len(namespaces) == 1 else "")
    except Silent as silence:
        return {"silent": silence.why, "text": str(silence)}

    def seen(place: Place) -> bool:
        return within(scope, place[0]) and (not namespaces or place[0] in namespaces)

    shown = filter(seen, uses if asked is None else (place for place in asked if place in uses))
    found: Json = {
        "rows": [[*place, *uses[place].use()] for place in shown],
        "refused": sorted({namespace for namespace, _ in asked or () if not within(scope, namespace)}),
    }
    if message.get("sum") is True:
        all_of = [item.use() for place, item in uses.items() if seen(place)]
        newest = max((use.measured for use in all_of), default=0)
        found["total"] = [sum(use.cpu for use in all_of), sum(use.memory for use in all_of), newest]
    return found


def _asked(rows: Any) -> list[Place] | None:
    if rows is None:
        return None
    if not (
        isinstance(rows, list)
        and len(rows) <= MAX_ROWS
        and all(isinstance(row, list) and [type(part) for part in row] == [str, str] for row in rows)
    ):
        raise ValueError(f"rows are up to {MAX_ROWS} pairs of namespace and name, or null for all")
    return [(row[0], row[1]) for row in rows]
