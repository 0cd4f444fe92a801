"""Reflectors of all kinds, and the exposition made of what they keep."""

from __future__ import annotations

import asyncio

from client import Client, Reflector
from monitoring.objects.catalogue import RESOURCES
from monitoring.objects.families import Families

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class ObjectMetrics:
    """The metrics of the objects that `client` may list and watch."""

    def __init__(self, client: Client) -> None:
        self._kinds: list[tuple[Families, Reflector]] = [
            (families, Reflector(client, families.path, transform=families.keep)) for families in RESOURCES]

    async def run(self) -> None:
        """Runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _, reflector in self._kinds:
                group.create_task(reflector.run())

    @property
    def synced(self) -> bool:
        """Whether all kinds were read once."""
        return all(reflector.synced.is_set() for _, reflector in self._kinds)

    def render(self) -> bytes:
        """The whole exposition, in the text format, version 0.0.4; families without samples are left out."""
        parts: list[bytes] = []  # of all objects, joined once: there may be hundreds of megabytes
        for families, reflector in self._kinds:
            rows = [item["pieces"] for item in reflector.items.values()]
            for at, head in enumerate(families.heads):
                column = [row[at] for row in rows]
                if any(column):
                    parts.append(head)
                    parts += column
        parts.append(self._own())
        return b"".join(parts)

    def _own(self) -> bytes:
        """How the reading itself goes."""
        objects, synced, failed = [], [], []
        for families, reflector in self._kinds:
            what = f'{{group="{families.group}",resource="{families.plural}"}}'
            objects.append(f"binnacle_object_metrics_objects{what} {len(reflector.items)}\n")
            synced.append(f"binnacle_object_metrics_synced{what} {+reflector.synced.is_set()}\n")
            failed.append(f"binnacle_object_metrics_errors_total{what} {families.failed}\n")
        return "".join([
            "# HELP binnacle_object_metrics_objects Objects whose metrics are shown.\n"
            "# TYPE binnacle_object_metrics_objects gauge\n", *objects,
            "# HELP binnacle_object_metrics_synced 1 when the objects of the kind were read.\n"
            "# TYPE binnacle_object_metrics_synced gauge\n", *synced,
            "# HELP binnacle_object_metrics_errors_total Pieces of objects that could not be made into samples.\n"
            "# TYPE binnacle_object_metrics_errors_total counter\n", *failed]).encode()
