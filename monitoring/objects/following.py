"""Mirrors of the custom resources that a configuration describes: they come and go with their definitions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from client import ApiStatusError, Client
from kube.objects import Json
from monitoring.objects.custom import Resource
from monitoring.objects.mirror import Mirror

log = logging.getLogger(__name__)

LOOK = 15.0  # seconds between two looks at what is served
MAX_KINDS = 50  # each has a watch of its own


class Served(NamedTuple):
    """A kind that is served and wanted; `at`: by which of the resources that are described."""

    at: int
    version: str
    kind: str
    plural: str


class CustomMirrors:
    """`mirrors` are those of now."""

    def __init__(self, client: Client, resources: Sequence[Resource]) -> None:
        self._client, self._resources = client, resources
        self.mirrors: dict[Served, Mirror] = {}
        self._tasks: dict[Served, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Runs until cancelled."""
        failures: tuple[type[Exception], ...] = (*self._client.failures, ApiStatusError, ValueError, KeyError)
        async with asyncio.TaskGroup() as group:
            while self._resources:
                try:
                    self._follow(await self._served(), group)
                except failures as error:
                    log.warning("which custom resources are served is not known: %s", error)
                await asyncio.sleep(LOOK)

    def _follow(self, served: list[Served], group: asyncio.TaskGroup) -> None:
        for gone in set(self.mirrors) - set(served):
            self._tasks.pop(gone).cancel()
            del self.mirrors[gone]
        for new in served:
            if new in self.mirrors:
                continue
            if len(self.mirrors) >= MAX_KINDS:
                log.warning("%s of more than %d custom kinds are not shown", new.kind, MAX_KINDS)
                continue
            families = self._resources[new.at].families(new.version, new.kind, new.plural)
            mirror = self.mirrors[new] = Mirror(self._client, families)
            self._tasks[new] = group.create_task(mirror.reflector.run())

    async def _served(self) -> list[Served]:
        found = []
        for at, wanted in enumerate(self._resources):
            async for version in self._versions(wanted):
                for each in await self._kinds(wanted.group, version):
                    fits = wanted.kind in ("*", each["kind"]) and wanted.plural in ("", each["name"])
                    if fits and "/" not in each["name"] and "watch" in each.get("verbs", ()):
                        found.append(Served(at, version, each["kind"], each["name"]))
        return found

    async def _versions(self, wanted: Resource) -> AsyncIterator[str]:
        if wanted.version != "*":
            yield wanted.version
            return
        for version in (await self._get(f"/apis/{wanted.group}")).get("versions") or ():
            yield version["version"]

    async def _kinds(self, group: str, version: str) -> list[Json]:
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        return (await self._get(path)).get("resources") or []

    async def _get(self, path: str) -> Json:
        """A document of discovery; an empty one where there is none."""
        try:
            return await self._client.get(path)
        except ApiStatusError as error:
            if error.not_found:
                return {}
            raise
