"""The objects of one kind, mirrored and rendered."""

from __future__ import annotations

from typing import Any

from client import Client, Reflector
from kube.objects import Json
from monitoring.objects.families import Families
from monitoring.objects.table import Table

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
