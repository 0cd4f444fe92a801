"""The overview: what is wrong now, what changed lately, how full the cluster is. Kept current by events, not by scans.

A `Tally` holds the health of each object that counts (level, reason, requests); a document is summed from them for one
viewer's rights. Everything that a page gets is bounded; counts are exact.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import orjson

from cluster.cache import Entry, Event
from cluster.store import Change, Key
from dashboard import amounts
from dashboard.access import Access, Scope, within
from dashboard.levels import BAD, DONE, NONE, OK, PROGRESS, conditions, judge
from dashboard.source import Source
from kube import clock
from kube.objects import Json
from kube.pods import podutil
from kube.pods.resources import in_force
from kube.redact.text import clean

JUDGED = (
    "nodes",
    "pods",
    "deployments.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "jobs.batch",
    "persistentvolumeclaims",
)
# Kinds that change all the time by themselves; a list of recent changes would hold nothing else.
NOISE = frozenset(
    {"events", "events.events.k8s.io", "leases.coordination.k8s.io", "endpoints", "endpointslices.discovery.k8s.io"}
)
OWN_METADATA = frozenset({"resourceVersion", "generation", "managedFields"})  # the API server's own
MAX_PROBLEMS, MAX_CHANGES, MAX_WARNINGS, MAX_ADDONS = 60, 60, 40, 40
MAX_STEPS = 200  # changes of a failing object that are looked back over: some hours of a crash loop
# Where the addon manager says how an addon is: annotations of its ConfigMap.
ADDONS, ADDON_NOTE = ("kube-system", "addon-"), "addons.binnacle/"
ADDON_LEVELS = {"healthy": OK, "rolling out": PROGRESS, "not healthy": BAD, "off": DONE}
BUCKET, BUCKETS = 5, 180  # seconds per point, and points, of the chart of changes
# What was well for so long has recovered; what fails again sooner is still the same trouble. Seconds: as long as a
# container has to run until the kubelet forgets that it kept ending.
RECOVERED = 600
NEVER = (0.0, 0.0)


class Health(NamedTuple):
    """What is remembered of one object. `since` when it has this level, however the reason changed, and `failed` from when
    until when it last failed: epoch seconds. `cpu` in milli-cores, `memory` in bytes: what a pod with a node asks for, or
    what a node has."""

    level: int
    reason: str
    since: float
    failed: tuple[float, float] = NEVER
    cpu: int = 0
    memory: int = 0
    pods: int = 0


class Recent(NamedTuple):
    type: str
    key: Key
    revision: int
    at: float


class Tally:
    """The health of one cluster's objects, followed on the event loop."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.health: dict[str, dict[Key, Health]] = {storage: {} for storage in JUDGED}
        self.recent: deque[Recent] = deque(maxlen=500)
        self.rate: deque[tuple[int, int]] = deque(maxlen=BUCKETS)
        source.listen(self._follow)

    async def load(self) -> Tally:
        """Read what the cache holds, in slices that leave the loop free, and what the log tells; returns itself."""
        for storage in JUDGED:
            for number, entry in enumerate(self.source.cache.list(storage)):
                self._judge(entry)
                if number % 500 == 499:
                    await asyncio.sleep(0)
        changes = await asyncio.to_thread(self.source.log.recent, 3_000)
        told = await asyncio.to_thread(_told, changes)
        # What the log tells of the time before this process began to look goes before what was seen since.
        first = self.recent[0].revision if self.recent else math.inf
        older = [one for one in told if one.revision < first]
        self.recent.extendleft(reversed(older[-(self.recent.maxlen or 0) + len(self.recent) :]))
        counts = Counter(int(change.at) // BUCKET * BUCKET for change in changes)
        for bucket, number in self.rate:
            counts[bucket] = max(number, counts[bucket])
        self.rate = deque(sorted(counts.items()), maxlen=BUCKETS)
        await self._look_back()
        return self

    async def _look_back(self) -> None:
        """What fails now may have run for a moment since it began to: of those that are listed the log tells since when."""
        failing = [
            (health.since, key) for rows in self.health.values() for key, health in rows.items() if health.level == BAD
        ]
        for _, key in sorted(failing, reverse=True)[:MAX_PROBLEMS]:
            changes = await asyncio.to_thread(self.source.log.of, key, MAX_STEPS)
            past, now = assess_log(changes), self.health[key.storage].get(key)
            if past and now and (past.level, now.level) == (BAD, BAD):
                self.health[key.storage][key] = now._replace(since=past.since, failed=past.failed)

    def _follow(self, events: Sequence[Event]) -> None:
        for event in events:
            storage = event.key.storage
            if storage in self.health:
                if event.type == "DELETED":
                    self.health[storage].pop(event.key, None)
                else:
                    self._judge(event.entry)
            if storage not in NOISE and (
                event.previous is None
                or event.type != "MODIFIED"
                or worth_telling(storage, event.previous.object(), event.entry.object())
            ):
                self.recent.append(Recent(event.type, event.key, event.revision, event.at))
        bucket, number = int(time.time()) // BUCKET * BUCKET, len(events)
        if self.rate and self.rate[-1][0] == bucket:
            number += self.rate.pop()[1]
        self.rate.append((bucket, number))

    def _judge(self, entry: Entry) -> None:
        storage, obj = entry.key.storage, entry.object()
        found = assess(storage, obj, self.health[storage].get(entry.key), time.time())
        if storage == "nodes":
            have = amounts.allocatable(obj)
            pods = amounts.whole(((obj.get("status") or {}).get("allocatable") or {}).get("pods"))
            found = found._replace(cpu=have.cpu, memory=have.memory, pods=pods)
        # What waits for a node takes nothing of any.
        elif storage == "pods" and (obj.get("spec") or {}).get("nodeName") and not podutil.finished(obj):
            asked = amounts.requests(in_force(obj))
            found = found._replace(cpu=asked.cpu, memory=asked.memory, pods=1)
        self.health[storage][entry.key] = found


def assess(storage: str, obj: Json, known: Health | None, now: float) -> Health:
    """The health of an object, which was `known` to be so. A pod that ends, runs for a moment and ends again fails since the
    first time."""
    level, reason = judge(storage, obj)
    if known is None:
        return Health(level, reason, _since(obj))
    failed = (known.since, now) if known.level == BAD else known.failed
    if level == known.level:
        since = known.since
    else:
        since = failed[0] if level == BAD and now - failed[1] < RECOVERED else now
    return Health(level, reason, since, failed)


def assess_log(changes: Sequence[Change]) -> Health | None:
    """The health of one object after its changes, newest first; None when it is gone or there are none."""
    known = None
    for change in reversed(changes):
        gone = change.type == "DELETED"
        known = None if gone else assess(change.key.storage, orjson.loads(change.body), known, change.at)
    return known


def _since(obj: Json) -> float:
    """Since when an object that is met for the first time may be as it is: its newest transition, else its creation."""
    times = [c.get("lastTransitionTime") for c in conditions(obj).values()]
    text = max((t for t in times if isinstance(t, str)), default=None) or obj["metadata"].get("creationTimestamp")
    try:
        return clock.parse(text) if text else time.time()
    except ValueError:
        return time.time()


def worth_telling(storage: str, before: Json, after: Json) -> bool:
    """Whether a change is news: somebody wanted something else, or the object's health is another. That a status goes on, as
    a node's heartbeat or the steps of a rollout, is not: it would hide what is."""
    return judge(storage, before)[0] != judge(storage, after)[0] or _wanted(before) != _wanted(after)


def _wanted(obj: Json) -> Json:
    meta = {name: value for name, value in obj["metadata"].items() if name not in OWN_METADATA}
    return {**{name: value for name, value in obj.items() if name != "status"}, "metadata": meta}


def _told(changes: Sequence[Change]) -> list[Recent]:
    """Those changes of a log, oldest first, that are news. A change to what the log does not hold as it was is none."""
    before: dict[Key, Json] = {}
    found = []
    for change in changes:
        if change.key.storage in NOISE:
            continue
        obj = orjson.loads(change.body)
        known = before.get(change.key)
        if change.type != "MODIFIED" or (known is not None and worth_telling(change.key.storage, known, obj)):
            found.append(Recent(change.type, change.key, change.revision, change.at))
        before[change.key] = obj
    return found


_tallies: dict[str, asyncio.Task[Tally]] = {}


async def tally_of(source: Source) -> Tally:
    """The tally of a cluster; made when the first overview is looked at."""
    task = _tallies.get(source.name)
    if task is None or task.get_loop() is not source.loop:
        task = _tallies[source.name] = asyncio.create_task(Tally(source).load())
    return await asyncio.shield(task)


def document(tally: Tally, access: Access, namespaces: frozenset[str] | None) -> Json:
    """The overview as `access` may see it, of some namespaces or all."""
    source = tally.source
    scopes = {kind.storage: access.scope(kind) for s in JUDGED if (kind := source.kind(s))}

    def seen(storage: str) -> Iterable[tuple[Key, Health]]:
        scope = scopes.get(storage, frozenset())
        return (
            (key, health)
            for key, health in tally.health[storage].items()
            if within(scope, key.namespace) and (namespaces is None or not key.namespace or key.namespace in namespaces)
        )

    health: dict[str, Json] = {}
    wrong: list[tuple[Key, Health]] = []
    for storage in JUDGED:
        if scopes.get(storage, frozenset()) == frozenset():
            continue
        levels: Counter[int] = Counter()
        for key, one in seen(storage):
            levels[one.level] += 1
            if one.level == BAD or (one.level == PROGRESS and time.time() - one.since > 60):
                wrong.append((key, one))
        health[storage] = {"levels": [levels[level] for level in range(5)], "total": sum(levels.values())}
    # Nodes first, then what stopped working last.
    wrong.sort(key=lambda row: (row[1].level != BAD, row[0].storage != "nodes", -row[1].since))
    capacity = None
    if "nodes" in health and "pods" in health:
        have, want = ([one for _, one in seen(storage)] for storage in ("nodes", "pods"))
        capacity = {
            name: {"have": sum(getattr(one, name) for one in have), "asked": sum(getattr(one, name) for one in want)}
            for name in ("cpu", "memory", "pods")
        }
    return {
        "health": health,
        "problems": [
            {"key": list(key), "level": one.level, "reason": clean(one.reason)[:80], "since": one.since}
            for key, one in wrong[:MAX_PROBLEMS]
        ],
        "problem_count": len(wrong),
        "capacity": capacity,
        "addons": _addons(source, access, namespaces),
        "warnings": _warnings(source, access, namespaces),
        "changes": _recent(tally, access, namespaces),
        # It counts the changes of all namespaces.
        "rate": [list(point) for point in tally.rate] if namespaces is None and access.can_list("pods") else None,
    }


def _addons(source: Source, access: Access, namespaces: frozenset[str] | None) -> list[Json]:
    """How each addon is, as the manager says."""
    namespace, prefix = ADDONS
    if (namespaces is not None and namespace not in namespaces) or not access.can_list("configmaps", namespace):
        return []
    found = []
    for entry in source.cache.list("configmaps", namespace):
        if entry.key.name.startswith(prefix) and b"addons.binnacle/state" in entry.body:
            notes = entry.object()["metadata"].get("annotations") or {}
            state, refused = str(notes.get(f"{ADDON_NOTE}state"))[:40], notes.get(f"{ADDON_NOTE}refused")
            level = ADDON_LEVELS.get(state, NONE)
            why = notes.get(f"{ADDON_NOTE}error") or notes.get(f"{ADDON_NOTE}health") or ""
            found.append(
                {
                    "key": list(entry.key),
                    "name": entry.key.name.removeprefix(prefix),
                    "why": clean(why)[:400],
                    "level": max(level, PROGRESS) if refused and level < BAD else level,
                    "state": f"{state}, a change is refused" if refused else state,
                }
            )
    return found[:MAX_ADDONS]


def _warnings(source: Source, access: Access, namespaces: frozenset[str] | None) -> list[Json]:
    kind = source.kind("events")
    scope: Scope = access.scope(kind) if kind else frozenset()
    # A cheap look at the bytes first: most events are Normal, and decoding thousands of them would take long.
    found = [
        entry
        for entry in source.cache.list("events")
        if b'"type":"Warning"' in entry.body
        and within(scope, entry.key.namespace)
        and (namespaces is None or entry.key.namespace in namespaces)
    ]
    found.sort(key=lambda entry: -entry.revision)
    return [summary(entry.object()) for entry in found[:MAX_WARNINGS]]


def summary(event: Json) -> Json:
    """One event in brief, for the overview and the object pages."""
    about = event.get("involvedObject") or event.get("regarding") or {}
    series = event.get("series") or {}
    source = event.get("source") or {}
    return {
        "namespace": event["metadata"].get("namespace", ""),
        "name": event["metadata"]["name"],
        "type": event.get("type") or "Normal",
        "reason": str(event.get("reason") or "")[:128],
        "message": clean(str(event.get("message") or event.get("note") or ""))[:1_024],
        "count": event.get("count") or series.get("count") or event.get("deprecatedCount") or 1,
        "first": event.get("firstTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp"),
        "last": event.get("lastTimestamp") or series.get("lastObservedTime") or event.get("eventTime"),
        "from": source.get("component") or event.get("reportingComponent") or "",
        "about": {
            "apiVersion": about.get("apiVersion", ""),
            "kind": about.get("kind", ""),
            "namespace": about.get("namespace", ""),
            "name": about.get("name", ""),
            "field": about.get("fieldPath", ""),
        },
    }


def _recent(tally: Tally, access: Access, namespaces: frozenset[str] | None) -> list[Json]:
    """The newest changes first, those of one sort to one object once, with their number: what flaps hides nothing else."""
    found: dict[tuple[Key, str], Json] = {}
    for one in reversed(tally.recent):
        what = one.key, one.type
        if what in found:
            found[what]["times"] += 1
        elif (
            len(found) < MAX_CHANGES
            and (namespaces is None or one.key.namespace in namespaces)
            and access.can_list(one.key.storage, one.key.namespace)
        ):
            found[what] = {"type": one.type, "key": list(one.key), "rev": one.revision, "at": one.at, "times": 1}
    return list(found.values())
