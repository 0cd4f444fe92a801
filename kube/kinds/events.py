"""events.k8s.io/v1: the newer form of Event, a view on core events. The rules are in `kube.kinds.core.events`."""

from __future__ import annotations

from kube import selectors
from kube.kinds.core import events
from kube.objects import Json
from kube.registry import Kind, register

# Name in events.k8s.io -> name in core.
RENAMED = {
    "regarding": "involvedObject",
    "note": "message",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
    "reportingController": "reportingComponent",
}
BACK = {old: new for new, old in RENAMED.items()}


def to_core(obj: Json) -> Json:
    """The core form of an event."""
    core = {RENAMED.get(name, name): value for name, value in obj.items()}
    return {**core, "apiVersion": "v1"}


def from_core(obj: Json) -> Json:
    """The newer form of a core event."""
    newer = {BACK.get(name, name): value for name, value in obj.items()}
    return {**newer, "apiVersion": events.NEWER}


def cells(obj: Json, now: float) -> list[object]:
    return events.cells(to_core(obj) if obj.get("apiVersion") == events.NEWER else obj, now)


register(
    Kind(
        "events.k8s.io",
        "v1",
        "Event",
        "events",
        short_names=("ev",),
        storage="events",
        strategy=events.EventStrategy(),
        definition="io.k8s.api.events.v1.Event",
        cells=cells,
        columns=events.COLUMNS,
        to_storage=to_core,
        from_storage=from_core,
        fields={
            **{
                f"regarding.{name.partition('.')[2]}": read
                for name, read in events.FIELDS.items()
                if "involved" in name
            },
            "reason": selectors.field("reason"),
            "reportingController": selectors.field("reportingComponent"),
            "type": selectors.field("type"),
        },
    )
)
