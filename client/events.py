"""Events that a program of a node tells about objects; repeated ones are counted, not multiplied."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict

import aiohttp

from client.api import Client
from client.errors import ApiStatusError
from client.paths import resource_path
from kube.objects import Json

log = logging.getLogger("client.events")
WAITING, REMEMBERED = 1000, 4096


class Recorder:
    """`event()` never blocks: a full queue (the API is away for long) drops the newest.

    `component` is the program's name, as `kubelet`; `node` the node that it runs on.
    """

    def __init__(self, client: Client, component: str, node: str) -> None:
        self._client, self._component, self._node = client, component, node
        self._queue: asyncio.Queue[Json] = asyncio.Queue(WAITING)
        self._sent: OrderedDict[tuple[str, ...], Json] = OrderedDict()

    def event(self, obj: Json, kind: str, reason: str, message: str, field_path: str = "") -> None:
        """`kind` is Normal or Warning; `field_path` names a container of a pod."""
        metadata = obj["metadata"]
        reference = {
            "kind": obj.get("kind") or "Pod",
            "apiVersion": obj.get("apiVersion") or "v1",
            "name": metadata["name"],
            "uid": metadata.get("uid") or "",
        }
        if metadata.get("namespace"):
            reference["namespace"] = metadata["namespace"]
        if metadata.get("resourceVersion"):
            reference["resourceVersion"] = metadata["resourceVersion"]
        if field_path:
            reference["fieldPath"] = field_path
        entry = {"involvedObject": reference, "type": kind, "reason": reason, "message": message[:1024]}
        try:
            self._queue.put_nowait({**entry, "time": time.time()})
        except asyncio.QueueFull:
            log.warning("event dropped, %d are waiting for the API: %s %s", WAITING, reason, message)

    async def run(self) -> None:
        while True:
            entry = await self._queue.get()
            try:
                await self._send(entry)
            except (ApiStatusError, aiohttp.ClientError, TimeoutError, OSError) as error:
                log.warning("event %s of %s not written: %s", entry["reason"], entry["involvedObject"]["name"], error)

    async def _send(self, entry: Json) -> None:
        reference, moment = entry["involvedObject"], _stamp(entry["time"])
        key = (reference["uid"], reference.get("fieldPath", ""), entry["type"], entry["reason"], entry["message"])
        known = self._sent.pop(key, None)
        if known is not None:
            known["count"] += 1
            patch = {"count": known["count"], "lastTimestamp": moment}
            try:
                await self._client.patch(known["path"], patch)
                self._sent[key] = known
                return
            except ApiStatusError as error:
                if not error.not_found:
                    raise
        self._sent[key] = await self._create(entry, moment)
        while len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)

    async def _create(self, entry: Json, moment: str) -> Json:
        reference = entry["involvedObject"]
        namespace = reference.get("namespace") or "default"
        name = f"{reference['name']}.{time.time_ns():x}"
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": reference,
            "type": entry["type"],
            "reason": entry["reason"],
            "message": entry["message"],
            "source": {"component": self._component, "host": self._node},
            "reportingComponent": self._component,
            "reportingInstance": self._node,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }
        await self._client.create(resource_path("v1", "events", namespace), event)
        return {"path": resource_path("v1", "events", namespace, name), "count": 1}


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
