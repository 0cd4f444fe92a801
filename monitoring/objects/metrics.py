"""Reflectors of all kinds, and the exposition made of what they keep."""

from __future__ import annotations

import asyncio
from typing import Any

from client import Client, Reflector
from kube.objects import Json
from monitoring.objects.catalogue import RESOURCES
from monitoring.objects.families import Families
from monitoring.objects.selection import Allowed, of_kind
from monitoring.objects.table import Table
from telemetry.exposition import Page, pairs

# Of the reading itself, by kind.
OWN = (
    ("binnacle_object_metrics_objects", "gauge", "Objects whose metrics are shown."),
    ("binnacle_object_metrics_synced", "gauge", "1 when the objects of the kind were read."),
    (
        "binnacle_object_metrics_errors_total",
        "counter",
        "Pieces of objects that could not be made into samples.",
    ),
)
KEPT = ("namespace", "name", "uid", "resourceVersion")


class Mirror:
    """The objects of one kind: of each its rendered pieces, a few fields of its metadata, and its note."""

    def __init__(self, client: Client, families: Families) -> None:
        self.families = families
        self.table = Table(len(families.heads))
        self.reflector = Reflector(
            client,
            families.path,
            transform=self.take,
            on_delete=lambda last: self.table.drop(last["metadata"]["uid"]),
            on_sync=self._synced,
        )

    def take(self, obj: Json) -> Json:
        """Render an object; what the reflector is to keep of it."""
        meta = obj["metadata"]
        self.table.put(meta["uid"], self.families.render(obj))
        kept = {"metadata": {key: meta[key] for key in KEPT if key in meta}}
        note = self.families.note(obj)
        return kept if note is None else {**kept, "note": note}

    def notes(self) -> list[tuple[Json, Any]]:
        """(metadata, note) of the objects that have a note."""
        return [(item["metadata"], item["note"]) for item in self.reflector.items.values() if "note" in item]

    def _synced(self) -> None:
        # Of a list that broke off, objects may have been rendered that are not in the next one.
        self.table.retain({item["metadata"]["uid"] for item in self.reflector.items.values()})


class ObjectMetrics:
    """The metrics of the objects that `client` may list and watch, with those `labels` and `annotations` of them."""

    def __init__(self, client: Client, labels: Allowed | None = None, annotations: Allowed | None = None) -> None:
        self.mirrors: dict[str, Mirror] = {}
        for families in RESOURCES:
            wanted = {
                field: of_kind(allowed or {}, families.plural)
                for field, allowed in (("annotations", annotations), ("labels", labels))
            }
            self.mirrors[families.plural] = Mirror(client, families.selecting(**wanted))

    async def run(self) -> None:
        """Runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            for mirror in self.mirrors.values():
                group.create_task(mirror.reflector.run())

    @property
    def synced(self) -> bool:
        """Whether all kinds were read once."""
        return all(mirror.reflector.synced.is_set() for mirror in self.mirrors.values())

    def render(self) -> bytes:
        """The whole exposition, in the text format, version 0.0.4; families without samples are left out."""
        parts: list[bytes] = []  # joined once: there may be a hundred megabytes of it
        for mirror in self.mirrors.values():
            for number, head in enumerate(mirror.families.heads):
                column = mirror.table.column(number)
                if column:
                    parts.append(head)
                    parts += column
        page = Page()  # of the reading itself
        for name, kind, text in OWN:
            page.declare(name, kind, text)
        for mirror in self.mirrors.values():
            labels = pairs({"group": mirror.families.group, "resource": mirror.families.plural})
            values = len(mirror.table), mirror.reflector.synced.is_set(), mirror.families.failed
            for (name, _, _), value in zip(OWN, values, strict=True):
                page.add(name, value, labels)
        return b"".join([*parts, page.text().encode()])
