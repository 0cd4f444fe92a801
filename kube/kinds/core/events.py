"""Event: what happened to an object."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube import selectors
from kube.errors import FieldError, invalid, required
from kube.kinds.core.base import CoreStrategy
from kube.objects import Json
from kube.registry import Column, Context, Kind
from kube.validation import IMMUTABLE, check, check_unchanged, qualified_name

_FIXED = (
    "involvedObject",
    "reason",
    "message",
    "source",
    "firstTimestamp",
    "lastTimestamp",
    "count",
    "reportingComponent",
    "reportingInstance",
    "action",
    "type",
    "eventTime",
)
NEWER = "events.k8s.io/v1"
_INSTANCE_LIMIT, _ACTION_LIMIT, _REASON_LIMIT, _NOTE_LIMIT = 128, 128, 128, 1024


class EventStrategy(CoreStrategy):
    create_on_update = True

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        newer = ctx.api_version == NEWER
        errors: list[FieldError] = []
        # An event lives with its object; one about a cluster-scoped object in `default`.
        namespace, involved = obj["metadata"].get("namespace", ""), obj.get("involvedObject", {}).get("namespace", "")
        if involved != namespace and (involved or namespace != "default"):
            errors.append(invalid("involvedObject.namespace", involved, "does not match event.namespace"))
        if obj.get("eventTime"):
            errors += _check_series_fields(obj, "reportingController" if newer else "reportingComponent")
        return errors

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        errors = super().validate(obj, ctx)
        if ctx.api_version == NEWER:  # there the old times and counts are not for new events
            errors += [] if obj.get("eventTime") else [required("eventTime")]
            if obj.get("type") not in ("Normal", "Warning"):
                errors.append(invalid("type", "", f"has invalid value: {obj.get('type', '')}"))
            old = ("firstTimestamp", "lastTimestamp", "count")
            errors += [invalid(name, "", "needs to be unset") for name in old if obj.get(name)]
        return errors

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        """Of an event in the newer form only the series goes on."""
        if ctx.api_version != NEWER:
            return []
        errors = [
            invalid(name, obj.get(name), IMMUTABLE)
            for name in _FIXED
            if _stated(obj.get(name)) != _stated(old.get(name))
        ]
        return errors + check_unchanged("related", obj.get("related"), old.get("related"))


def _stated(value: Any) -> Any:
    """A value without what is empty in it."""
    return ({key: item for key, item in value.items() if item} if isinstance(value, dict) else value) or None


def _check_series_fields(obj: Json, reporter: str) -> list[FieldError]:
    """What events with `eventTime` must say; `reporter` is what the request's API version calls the component."""
    component = obj.get("reportingComponent", "")
    errors = [] if component else [required(reporter)]
    errors += check(reporter, component, qualified_name)
    for name, limit in (("reportingInstance", _INSTANCE_LIMIT), ("action", _ACTION_LIMIT), ("reason", _REASON_LIMIT)):
        value = obj.get(name, "")
        if not value:
            errors.append(required(name))
        elif len(value) > limit:
            errors.append(invalid(name, "", f"can have at most {limit} characters"))
    if (series := obj.get("series")) is not None:
        if (series.get("count") or 0) < 2:
            errors.append(invalid("series.count", "", "should be at least 2"))
        if not series.get("lastObservedTime"):
            errors.append(required("series.lastObservedTime"))
    if len(obj.get("message", "")) > _NOTE_LIMIT:
        errors.append(invalid("message", "", f"can have at most {_NOTE_LIMIT} characters"))
    return errors


def cells(obj: Json, now: float) -> list[Any]:
    involved, series = obj.get("involvedObject") or {}, obj.get("series")
    first = c.since(obj.get("firstTimestamp") or obj.get("eventTime"), now)
    last = c.since(obj["lastTimestamp"], now) if obj.get("lastTimestamp") else first
    count = obj.get("count") or 1
    if series:
        last, count = c.since(series.get("lastObservedTime"), now), series.get("count") or 0
    kind, name = involved.get("kind", "").lower(), involved.get("name")
    source = obj.get("source") or {}
    component = source.get("component") or obj.get("reportingComponent", "")
    host = source.get("host") or obj.get("reportingInstance", "")
    return [
        last,
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{kind}/{name}" if name else kind,
        involved.get("fieldPath", ""),
        f"{component}, {host}" if host else component,
        obj.get("message", "").strip(),
        first,
        count,
        obj["metadata"]["name"],
    ]


_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
FIELDS = {f"involvedObject.{name}": selectors.field("involvedObject", name) for name in _INVOLVED} | {
    "reason": selectors.field("reason"),
    "reportingComponent": selectors.field("reportingComponent"),
    "source": lambda obj: (obj.get("source") or {}).get("component") or obj.get("reportingComponent", ""),
    "type": selectors.field("type"),
}
COLUMNS = (
    c.column("Last Seen", description="When it happened last."),
    c.column("Type", description="Normal or Warning."),
    c.column("Reason", description="Why it happened, in one word."),
    c.column("Object", description="What it is about."),
    c.column("Subobject", description="The part of the object it is about.", wide=True),
    c.column("Source", description="Who reports it.", wide=True),
    c.column("Message", description="What happened."),
    c.column("First Seen", description="When it happened first.", wide=True),
    c.column("Count", description="How often it happened.", wide=True),
    Column("Name", "string", "name", "The event's name.", 1),
)


KINDS = (
    Kind(
        "",
        "v1",
        "Event",
        "events",
        short_names=("ev",),
        definition="io.k8s.api.core.v1.Event",
        strategy=EventStrategy(),
        cells=cells,
        fields=FIELDS,
        columns=COLUMNS,
    ),
)
