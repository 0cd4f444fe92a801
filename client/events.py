"""Events that a program of a node tells about objects: counted, combined, and kept from flooding by `kube.events`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from client.api import Client
from client.errors import ApiStatusError
from client.paths import resource_path
from kube import clock
from kube.events import MESSAGE_LIMIT, Correlator, Happening, event, reference

log = logging.getLogger("client.events")
WAITING = 1000


class Recorder:
    """`event()` never blocks: a full queue (the API is away for long) drops the newest.

    `component` is the program's name, as `kubelet`; `node` the node that it runs on.
    """

    def __init__(self, client: Client, component: str, node: str) -> None:
        self._client, self._component, self._node = client, component, node
        self._queue: asyncio.Queue[Happening] = asyncio.Queue(WAITING)
        self._correlator = Correlator()

    def event(self, obj: Mapping[str, Any], kind: str, reason: str, message: str, field_path: str = "") -> None:
        """`kind` is Normal or Warning; `field_path` names a container of a pod."""
        about = {"kind": "Pod", "apiVersion": "v1", **reference(obj, field_path)}
        happening = Happening(
            self._component, about, kind, reason, message[:MESSAGE_LIMIT], time.time(), host=self._node
        )
        try:
            self._queue.put_nowait(happening)
        except asyncio.QueueFull:
            log.warning("event dropped, %d are waiting for the API: %s %s", WAITING, reason, message)

    async def run(self) -> None:
        while True:
            happening = await self._queue.get()
            try:
                await self._send(happening)
            except (ApiStatusError, OSError) as error:
                log.warning("event %s of %s not written: %s", happening.reason, happening.about["name"], error)

    async def _send(self, happening: Happening) -> None:
        found = self._correlator.correlate(happening)
        if found is None:  # spam
            return
        happening, series = found
        namespace = happening.about.get("namespace", "default")
        if series.count > 1:
            patch = {
                "count": series.count,
                "lastTimestamp": clock.stamp(series.last),
                "message": happening.message,
            }
            try:
                await self._client.patch(resource_path("v1", "events", namespace, series.name), patch)
                return
            except ApiStatusError as error:  # it was deleted, or could not be written: anew
                if not error.not_found:
                    raise
        await self._client.create(resource_path("v1", "events", namespace), event(happening, series))
