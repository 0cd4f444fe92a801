"""Writing pod statuses to the API: per pod the newest only, again and again until it is taken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from client import ApiStatusError, Backoff, Client, resource_path
from client.api import MERGE_PATCH
from kube.objects import Json
from kube.pods import podutil

if TYPE_CHECKING:
    from kube.shapes import PodLike

log = logging.getLogger("kubelet.status")
NULLABLE = ("podIP", "podIPs", "reason", "message", "initContainerStatuses", "ephemeralContainerStatuses")


class StatusWriter:
    """The status of one pod.  `gone` is set when the API has no such pod any more."""

    def __init__(self, client: Client, pod: PodLike) -> None:
        metadata = pod["metadata"]
        self._client, self._uid = client, metadata["uid"]
        self._path = resource_path("v1", "pods", metadata["namespace"], metadata["name"], "status")
        self._name = podutil.full_name(pod)
        self._wanted: Json | None = None
        self._written: Json | None = None
        self._task: asyncio.Task[None] | None = None
        self.gone = False

    def set(self, status: Json, current: Mapping[str, Any]) -> None:
        """Writes `status` unless the API already has it: `current` is what it was last known to hold."""
        if status == (self._wanted or self._written) and self._covers(status, current):
            return
        if self._wanted is None and self._covers(status, current):
            return
        self._wanted = status
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._flush())

    @staticmethod
    def _covers(status: Json, current: Mapping[str, Any]) -> bool:
        absent = all(key in status or key not in current for key in NULLABLE)
        return absent and all(current.get(key) == value for key, value in status.items())

    async def settled(self) -> None:
        """Returns when nothing is left to write."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _flush(self) -> None:
        backoff = Backoff(first=0.2, longest=15.0)
        while self._wanted is not None and not self.gone:
            status, self._wanted = self._wanted, None
            try:
                body = {**{key: None for key in NULLABLE if key not in status}, **status}
                # The uid is a precondition: the patch must not hit a later pod of the same name.
                await self._client.patch(self._path, {"metadata": {"uid": self._uid}, "status": body}, MERGE_PATCH)
                self._written = status
                backoff.reset()
            except ApiStatusError as error:
                if error.not_found or error.conflict:
                    self.gone = True  # deleted, or the name belongs to another pod by now
                    return
                await self._again(status, error, backoff)
            except OSError as error:
                await self._again(status, error, backoff)

    async def _again(self, status: Json, error: Exception, backoff: Backoff) -> None:
        log.warning("status of %s not written: %s", self._name, error)
        await asyncio.sleep(backoff.delay())
        self._wanted = self._wanted or status
