"""/metrics, under the names of kube-apiserver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from apiserver.response import Answer, Response

if TYPE_CHECKING:
    from apiserver.request import Request

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_WHAT = ("verb", "group", "version", "resource", "subresource", "scope")

REQUESTS = Counter("apiserver_request", "Requests, by what they were about and how they were answered.",
                   (*_WHAT, "code"), registry=REGISTRY)
DURATION = Histogram("apiserver_request_duration_seconds", "Seconds until the answer was ready.", _WHAT, buckets=_BUCKETS,
                     registry=REGISTRY)
SIZES = Histogram("apiserver_response_sizes", "Bytes of whole answers, before compression.", _WHAT,
                  buckets=(1e3, 1e4, 1e5, 1e6, 1e7, 1e8), registry=REGISTRY)
WATCHERS = Gauge("apiserver_longrunning_requests", "Watches that are open.", ("verb",), registry=REGISTRY)
OBJECTS = Gauge("apiserver_resource_objects", "Objects in the store, per resource.", ("group", "resource"), registry=REGISTRY)
REVISION = Gauge("apiserver_storage_revision", "The newest revision that this process has seen.", registry=REGISTRY)

_children: dict[tuple[str, ...], tuple[Histogram, Histogram]] = {}
_counters: dict[tuple[str, ...], Counter] = {}


def observe(request: Request, answer: Answer, seconds: float) -> None:
    """Count one answered request. Labels come from what the server knows, never from what a client may invent."""
    what = _labels(request)
    known = _children.get(what)
    if known is None:
        known = _children[what] = (DURATION.labels(*what), SIZES.labels(*what))
    known[0].observe(seconds)
    if isinstance(answer, Response):
        known[1].observe(answer.size)
    counted = (*what, str(answer.status))
    counter = _counters.get(counted)
    if counter is None:
        counter = _counters[counted] = REQUESTS.labels(*counted)
    counter.inc()


def _labels(request: Request) -> tuple[str, ...]:
    info = request.info
    kind = request.state.registry.lookup(info.group, info.version, info.resource) if info.is_resource else None
    if kind is None:
        known = request.method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        return (request.method if known else "other", "", "", "", "", "")
    scope = "resource" if info.name else "namespace" if info.namespace else "cluster"
    part = info.subresource if info.subresource in kind.subresources else ""
    return info.verb.upper(), kind.group, kind.version, kind.plural, part, scope


async def handle(request: Request) -> Answer:
    """The metrics in Prometheus' text format."""
    state = request.state
    WATCHERS.labels("WATCH").set(state.hub.count)
    REVISION.set(state.cache.revision)
    for storage in state.cache.stored():
        resource, _, group = storage.partition(".")
        OBJECTS.labels(group, resource).set(state.cache.count(storage))
    return Response(generate_latest(REGISTRY), 200, "text/plain; version=0.0.4; charset=utf-8")
