"""/metrics, under the names of kube-apiserver; what is ours alone begins with `binnacle_`.

A request costs two look-ups in dictionaries and no lock: all are counted in the event loop. What can be had when somebody
asks is not counted before.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from apiserver.response import Answer, Response
from cluster.admission.webhooks import metrics as webhooks
from telemetry.counting import Histogram, Labels, Metrics, doubling
from telemetry.exposition import render
from web.http1 import METRICS as CONTENT_TYPE

if TYPE_CHECKING:
    from apiserver.fairness.levels import Level
    from apiserver.request import Request
    from apiserver.state import State
    from cluster.cache import Event
    from cluster.changes import Change

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_WHAT = ("verb", "dry_run", "group", "version", "resource", "subresource", "scope", "component")
_VERBS = {"create": "POST", "update": "PUT"}  # the others are shown as they are called
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

METRICS = Metrics()
REQUESTS = METRICS.counter(
    "apiserver_request_total", "Requests, by what they were about and how they were answered.", *_WHAT, "code"
)
DURATION = METRICS.histogram(
    "apiserver_request_duration_seconds", "Seconds until the answer was ready.", *_WHAT, bounds=_BUCKETS
)
SLI = METRICS.histogram(
    "apiserver_request_sli_duration_seconds", "The same, without watches and connections.", *_WHAT, bounds=_BUCKETS
)
SIZES = METRICS.histogram(
    "apiserver_response_sizes",
    "Bytes of whole answers, before compression.",
    *_WHAT,
    bounds=(1e3, 1e4, 1e5, 1e6, 1e7, 1e8),
)
INFLIGHT = METRICS.gauge("apiserver_current_inflight_requests", "Requests that are being answered.", "request_kind")
LONGRUNNING = METRICS.gauge("apiserver_longrunning_requests", "Watches that are open.", "verb")
OBJECTS = METRICS.gauge("apiserver_storage_objects", "Objects in the store, by resource.", "resource")
RESOURCES = METRICS.gauge(
    "apiserver_resource_objects", "Objects in the store, by group and resource.", "group", "resource"
)
REVISION = METRICS.gauge("apiserver_storage_revision", "The newest revision that this process has seen.")
COMMITS = METRICS.counter("binnacle_store_commits_total", "Transactions that this process committed.")
WRITES = METRICS.histogram("binnacle_store_commit_writes", "Changes in one transaction.", bounds=doubling(1, 11))
COMMIT = METRICS.histogram(
    "binnacle_store_commit_duration_seconds",
    "From the plan of a transaction to its end on the disk.",
    bounds=doubling(0.00025, 16),
)
BEHIND = METRICS.gauge("binnacle_watch_revisions_behind", "Revisions in the log that watches have not been shown.")
DELAY = METRICS.histogram(
    "binnacle_watch_delay_seconds",
    "From the commit of a change to the watches of this process.",
    bounds=doubling(0.0005, 16),
)

# By what authentication notes of a token for the audit log.
TOKENS = {
    "authentication.k8s.io/legacy-token": METRICS.counter(
        "serviceaccount_legacy_tokens_total", "Uses of tokens that are kept in Secrets."
    ),
    "authentication.k8s.io/stale-token": METRICS.counter(
        "serviceaccount_stale_tokens_total", "Uses of tokens of volumes that should have been renewed by then."
    ),
}

AUDITED = METRICS.counter("apiserver_audit_event_total", "Audit events that were written.")
AUDIT_ERRORS = METRICS.counter("apiserver_audit_error_total", "Audit events that were lost.", "plugin")

DISPATCHED = METRICS.counter(
    "apiserver_flowcontrol_dispatched_requests_total", "Requests that were let in.", "flow_schema", "priority_level"
)
REJECTED = METRICS.counter(
    "apiserver_flowcontrol_rejected_requests_total",
    "Requests that were answered 429.",
    "flow_schema",
    "priority_level",
    "reason",
)
WAITED = METRICS.histogram(
    "apiserver_flowcontrol_request_wait_duration_seconds",
    "Seconds until a request was let in, or not.",
    "flow_schema",
    "priority_level",
    "execute",
    bounds=_BUCKETS,
)
EXECUTED = METRICS.histogram(
    "apiserver_flowcontrol_request_execution_seconds",
    "Seconds for which a request had its seat.",
    "flow_schema",
    "priority_level",
    bounds=_BUCKETS,
)
SEATS = METRICS.gauge("apiserver_flowcontrol_nominal_limit_seats", "Seats of a level's own.", "priority_level")
LEAST = METRICS.gauge("apiserver_flowcontrol_lower_limit_seats", "Seats that a level never lends.", "priority_level")
MOST = METRICS.gauge("apiserver_flowcontrol_upper_limit_seats", "Seats that a level has at most.", "priority_level")
LIMIT = METRICS.gauge("apiserver_flowcontrol_current_limit_seats", "Seats that a level may have now.", "priority_level")
IN_USE = METRICS.gauge(
    "apiserver_flowcontrol_current_executing_seats", "Seats that are taken.", "priority_level", "flow_schema"
)
EXECUTING = METRICS.gauge(
    "apiserver_flowcontrol_current_executing_requests", "Requests that have seats.", "priority_level", "flow_schema"
)
INQUEUE = METRICS.gauge(
    "apiserver_flowcontrol_current_inqueue_requests", "Requests that wait.", "priority_level", "flow_schema"
)
CUT = METRICS.counter(
    "apiserver_terminated_watchers_total", "Watches that were ended because nobody read them.", "group", "resource"
)
USERS = METRICS.gauge("binnacle_apiserver_users", "Users that are connected to this process.")

_histograms: dict[tuple[str, ...], tuple[Histogram, Histogram]] = {}
_followed: list[State] = []


def observe(request: Request, answer: Answer, seconds: float) -> None:
    """Count one answered request. Labels come from what the server knows, never from what a client may invent."""
    if not _followed or _followed[0] is not request.state:
        # Hear of the commits and changes of this process's state from now on.
        _followed[:] = [request.state]
        request.state.store.on_commit(_committed)
        request.state.cache.subscribe(_changed)
    for note in request.annotations:
        TOKENS[note].add()
    what = _labels(request)
    known = _histograms.get(what)
    if known is None:
        known = _histograms[what] = (DURATION.histogram(*what), SIZES.histogram(*what))
    known[0].observe(seconds)
    if isinstance(answer, Response):
        known[1].observe(answer.size)
    counted, values = (*what, str(answer.status)), REQUESTS.values
    values[counted] = values.get(counted, 0) + 1


def _labels(request: Request) -> tuple[str, ...]:
    info = request.info
    kind = request.state.registry.lookup(info.group, info.version, info.resource) if info.is_resource else None
    if kind is None:
        return (request.method if request.method in _METHODS else "other", "", "", "", "", "", "", "apiserver")
    scope = "resource" if info.name else "namespace" if info.namespace else "cluster"
    part = info.subresource if info.subresource in kind.subresources else ""
    verb = _VERBS.get(info.verb) or info.verb.upper()
    if verb == "PATCH" and request.header(b"content-type").startswith("application/apply-patch"):
        verb = "APPLY"
    dry_run = "All" if request.has_query("dryRun") else ""
    return verb, dry_run, kind.group, kind.version, kind.plural, part, scope, "apiserver"


def _committed(revision: int, changes: list[Change]) -> None:
    """In the writer's thread, which is the only one that counts these."""
    WRITES.histogram().observe(len(changes))
    COMMIT.histogram().observe(max(time.time() - changes[0].at, 0.0))


def _changed(events: Sequence[Event]) -> None:
    if events and events[-1].at:
        DELAY.observe(max(time.time() - events[-1].at, 0.0))


async def handle(request: Request) -> Answer:
    """The metrics in Prometheus' text format."""
    state = request.state  # what is known only now
    LONGRUNNING.set(state.hub.count, "WATCH")
    REVISION.set(state.cache.revision)
    BEHIND.set(max(state.store.revision() - state.cache.revision, 0))
    COMMITS.set(state.store.groups)
    if state.audit is not None:
        writer = state.audit.writer
        AUDITED.set(writer.written)
        AUDIT_ERRORS.set(writer.dropped + writer.failed, "log")
    for storage in state.cache.stored():
        resource, _, group = storage.partition(".")
        RESOURCES.set(state.cache.count(storage), group, resource)
        OBJECTS.set(state.cache.count(storage), storage)
    USERS.set(len(state.fairness.accounts))
    _count_seats(state.fairness.levels.values())
    for kind, count in _inflight().items():
        INFLIGHT.set(count, kind)
    SLI.histograms = {what: each for what, each in DURATION.histograms.items() if what[0] not in ("WATCH", "CONNECT")}
    return Response(render(METRICS, webhooks.METRICS), 200, CONTENT_TYPE)


def _count_seats(levels: Iterable[Level]) -> None:
    for level in levels:
        SEATS.set(level.seats, level.name)
        LEAST.set(level.least, level.name)
        MOST.set(level.most, level.name)
        LIMIT.set(level.limit, level.name)
    families = (EXECUTING, IN_USE, INQUEUE)
    served: list[Labels] = [(level, schema) for schema, level in list(DISPATCHED.values)]
    counted = [Counter[Labels](dict.fromkeys(served, 0)) for _ in families]
    for level in levels:
        for flow, numbers in level.flows():
            for counter, number in zip(counted, numbers, strict=True):
                counter[level.name, flow.partition("/")[0]] += number
    for family, counter in zip(families, counted, strict=True):
        family.replace(counter)


def _inflight() -> dict[str, int]:
    """Requests whose answer has not begun, found among the tasks of the event loop: so no request pays for counting them."""
    found = {"mutating": 0, "readOnly": 0}
    for task in asyncio.all_tasks():
        frame = getattr(task.get_coro(), "cr_frame", None)
        cycle = frame.f_locals.get("self") if frame is not None else None
        scope = getattr(cycle, "scope", None)
        if isinstance(scope, dict) and not getattr(cycle, "response_started", True):
            found["readOnly" if scope.get("method") in ("GET", "HEAD") else "mutating"] += 1
    return found
