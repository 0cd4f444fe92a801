"""Kubernetes Events as documents: one for each time that an event was counted up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

import orjson

from client.reflector import Reflector, Source
from kube.objects import Json
from logs.record import Document, Origin
from logs.ship.formats import normal
from logs.ship.series import Position

KEY = "events"  # among the positions: no path


class Events:
    """Watches from where it stood; `add(documents, positions)` gets what is new."""

    def __init__(
        self, api: Source, start: Position | None, add: Callable[[list[Document], Mapping[str, Position]], None]
    ) -> None:
        self._add = add
        self._reflector = Reflector(api, "/api/v1/events", transform=self._take)
        # Not known any more (410): everything is listed, and what is in the store already is known by its id.
        self._reflector.version = start.identity if start else ""

    async def run(self) -> None:
        await self._reflector.run()

    def _take(self, event: Json) -> Json:
        """Called for each event that is listed, or added or changed in the watch; what is kept is only its name."""
        metadata = event["metadata"]
        found = document(event)
        if found is not None:
            # A listed object's version may lie before others that are still to come: only watched ones move the position.
            version = self._reflector.version
            place = {KEY: Position(version, 0, 0)} if version else {}
            self._add([found], place)
        return {"metadata": {name: metadata[name] for name in ("name", "namespace", "uid", "resourceVersion")}}


def document(event: Json) -> Document | None:
    """None for an event without a time."""
    metadata, about = event["metadata"], event.get("involvedObject") or {}
    series = event.get("series") or {}
    count = series.get("count") or event.get("count") or 1
    time = normal(
        str(
            series.get("lastObservedTime")
            or event.get("lastTimestamp")
            or event.get("eventTime")
            or metadata.get("creationTimestamp")
            or ""
        )
    )
    if not time:
        return None
    name = f"event {metadata['uid']} {metadata['resourceVersion']} {count}"
    message = f"{event.get('reason') or ''}: {event.get('message') or ''}"[:16384]
    level = "warn" if event.get("type") == "Warning" else "info"
    return Document(
        blake2b(name.encode(), digest_size=16).hexdigest(),
        time,
        Origin("event", _about(about, event)).encode(
            time, message, level=level, fields=orjson.dumps(_fields(event, about, count))
        ),
    )


def _about(about: Json, event: Json) -> dict[str, Any]:
    known: dict[str, Any] = {"namespace": about.get("namespace") or event["metadata"].get("namespace")}
    if about.get("kind") == "Pod":
        known |= {"pod": about.get("name"), "pod_uid": about.get("uid")}
        path = about.get("fieldPath") or ""
        if path.endswith("}") and "{" in path:  # spec.containers{web}
            known["container"] = path[path.index("{") + 1 : -1]
    elif about.get("kind"):
        known["workload"] = {"kind": about["kind"], "name": about.get("name", "")}
    if host := (event.get("source") or {}).get("host"):
        known["node"] = host
    return known


def _fields(event: Json, about: Json, count: int) -> Json:
    source = (event.get("source") or {}).get("component") or event.get("reportingComponent")
    found = {
        "reason": event.get("reason"),
        "type": event.get("type"),
        "count": count,
        "component": source,
        "kind": about.get("kind"),
        "name": about.get("name"),
        "event": event["metadata"]["name"],
    }
    return {name: value for name, value in found.items() if value}
