"""Reflectors of all kinds, and the exposition made of what they keep."""

from __future__ import annotations

import asyncio
from typing import Any

from client import Client, Reflector
from kube.objects import Json
from monitoring.objects.catalogue import RESOURCES
from monitoring.objects.families import Families
from monitoring.objects.table import Table

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
KEPT = ("namespace", "name", "uid", "resourceVersion")


class Mirror:
    """The objects of one kind: of each its rendered pieces, a few fields of its metadata, and its note."""

    def __init__(self, client: Client, families: Families) -> None:
        self.families = families
        self.table = Table(len(families.heads))
        self.reflector = Reflector(
            client, families.path, transform=self.take, on_delete=self._gone, on_sync=self._synced
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

    def _gone(self, last: Json) -> None:
        self.table.drop(last["metadata"]["uid"])

    def _synced(self) -> None:
        # Of a list that broke off, objects may have been rendered that are not in the next one.
        self.table.retain({item["metadata"]["uid"] for item in self.reflector.items.values()})


class ObjectMetrics:
    """The metrics of the objects that `client` may list and watch."""

    def __init__(self, client: Client) -> None:
        self.mirrors = {families.plural: Mirror(client, families) for families in RESOURCES}

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
        parts.append(self._own())
        return b"".join(parts)

    def _own(self) -> bytes:
        """How the reading itself goes."""
        objects, synced, failed = [], [], []
        for mirror in self.mirrors.values():
            what = f'{{group="{mirror.families.group}",resource="{mirror.families.plural}"}}'
            objects.append(f"binnacle_object_metrics_objects{what} {len(mirror.table)}\n")
            synced.append(f"binnacle_object_metrics_synced{what} {+mirror.reflector.synced.is_set()}\n")
            failed.append(f"binnacle_object_metrics_errors_total{what} {mirror.families.failed}\n")
        return "".join(
            [
                "# HELP binnacle_object_metrics_objects Objects whose metrics are shown.\n"
                "# TYPE binnacle_object_metrics_objects gauge\n",
                *objects,
                "# HELP binnacle_object_metrics_synced 1 when the objects of the kind were read.\n"
                "# TYPE binnacle_object_metrics_synced gauge\n",
                *synced,
                "# HELP binnacle_object_metrics_errors_total Pieces of objects that could not be made into samples.\n"
                "# TYPE binnacle_object_metrics_errors_total counter\n",
                *failed,
            ]
        ).encode()
