"""Reflectors of all kinds, and the exposition made of what they keep."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from client import Client
from monitoring.objects.catalogue import RESOURCES
from monitoring.objects.custom import Resource
from monitoring.objects.following import CustomMirrors
from monitoring.objects.mirror import Mirror
from monitoring.objects.selection import Allowed, of_kind
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


class ObjectMetrics:
    """The metrics of the objects that `client` may list and watch, with those `labels` and `annotations` of them.

    `custom`: what is wanted of custom resources.
    """

    def __init__(
        self,
        client: Client,
        labels: Allowed | None = None,
        annotations: Allowed | None = None,
        custom: Sequence[Resource] = (),
    ) -> None:
        self.custom = CustomMirrors(client, custom)
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
            group.create_task(self.custom.run())
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
        parts += self._of_custom()
        page = Page()  # of the reading itself
        for name, kind, text in OWN:
            page.declare(name, kind, text)
        for mirror in self.mirrors.values():
            labels = pairs({"group": mirror.families.group, "resource": mirror.families.plural})
            values = len(mirror.table), mirror.reflector.synced.is_set(), mirror.families.failed
            for (name, _, _), value in zip(OWN, values, strict=True):
                page.add(name, value, labels)
        return b"".join([*parts, page.text().encode()])

    def _of_custom(self) -> list[bytes]:
        """Of custom resources, whose families may be those of several kinds: each stands once, with all samples."""
        found: dict[bytes, list[bytes]] = {}
        for mirror in self.custom.mirrors.values():
            for number, head in enumerate(mirror.families.heads):
                if column := mirror.table.column(number):
                    found.setdefault(head.split(b" ", 3)[2], [head]).extend(column)
        return [part for parts in found.values() for part in parts]
