"""A local copy of a collection, kept by list and watch."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

from client.backoff import Backoff
from client.errors import ApiStatusError
from client.paths import Key, object_key
from kube.objects import Json

log = logging.getLogger("client.reflector")

Params = Mapping[str, str | int]


class Source(Protocol):
    """What a reflector needs of a client: `client.Client`, or one with another transport."""

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """What is raised when the server cannot be reached."""

    async def list(
        self, path: str, params: Params | None = None, page: int = 500, transform: Callable[[Json], Json] | None = None
    ) -> Json: ...

    def stream(self, path: str, params: Params, timeout: float) -> AsyncIterator[Json]: ...


class Reflector:
    """Mirrors the objects at `path` into `items`, and calls back on every change.

    1. List everything; the difference to `items` becomes add, update and delete calls; then `on_sync()`.
    2. Watch from the list's resource version; bookmarks move the version forward without a change.
    3. When the watch ends, watch again from the last version seen; after 410 Gone go back to 1.
    4. After an error wait (exponential, with jitter) and go on; `items` stays as it was, `synced` stays set.

    Callbacks are plain functions and must not block; one that raises is logged and does not stop the others.
    `on_add(obj)`, `on_update(old, new)`, `on_delete(last)`, `on_sync()`. `transform` makes what is kept of an object: at
    least its metadata's name, namespace, uid and resourceVersion.
    """

    def __init__(
        self,
        client: Source,
        path: str,
        params: Params | None = None,
        *,
        on_add: Callable[[Json], None] | None = None,
        on_update: Callable[[Json, Json], None] | None = None,
        on_delete: Callable[[Json], None] | None = None,
        on_sync: Callable[[], None] | None = None,
        transform: Callable[[Json], Json] | None = None,
        watch_seconds: tuple[int, int] = (300, 600),
    ) -> None:
        self.items: dict[Key, Json] = {}
        self.synced = asyncio.Event()
        self.version = ""
        self._failures: tuple[type[Exception], ...] = (*client.failures, ValueError)
        self._client, self._path, self._params = client, path, dict(params or {})
        self._on_add, self._on_update, self._on_delete, self._on_sync = on_add, on_update, on_delete, on_sync
        self._transform = transform
        self._watch_seconds = watch_seconds
        # Not longer: a server that is back should be noticed within seconds, and jitter spreads its clients.
        self._backoff = Backoff(longest=4.0)

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                if not self.version:
                    await self._list()
                await self._watch()
            except ApiStatusError as error:
                if error.gone:
                    log.info("%s: version %s is gone, listing again", self._path, self.version)
                    self.version = ""
                await self._pause(str(error), error.retry_after)
            except self._failures as error:
                await self._pause(repr(error))

    async def _pause(self, why: str, at_least: float | None = None) -> None:
        delay = max(self._backoff.delay(), at_least or 0.0)
        log.warning("%s: %s; trying again in %.1f s", self._path, why, delay)
        await asyncio.sleep(delay)

    async def _list(self) -> None:
        answer = await self._client.list(self._path, self._params, transform=self._transform)
        seen: dict[Key, Json] = {}
        for obj in answer["items"]:
            seen[object_key(obj)] = obj
        for key in [key for key in self.items if key not in seen]:
            self._remove(key)
        for key, obj in seen.items():
            self._store(key, obj)
        self.version = answer["metadata"]["resourceVersion"]
        self._backoff.reset()
        self.synced.set()
        self._call(self._on_sync)

    async def _watch(self) -> None:
        seconds = random.randint(*self._watch_seconds)
        params = {
            **self._params,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self.version,
            "timeoutSeconds": seconds,
        }
        started = asyncio.get_running_loop().time()
        async for event in self._client.stream(self._path, params, seconds + 30):
            self._apply(event)
            self._backoff.reset()
        if asyncio.get_running_loop().time() - started < 1:
            # A server that ends every watch at once must not be asked in a tight loop.
            await asyncio.sleep(self._backoff.delay())

    def _apply(self, event: Json) -> None:
        kind, obj = event["type"], event["object"]
        if kind == "ERROR":
            raise ApiStatusError(obj)
        if kind == "DELETED":
            self._remove(object_key(obj), obj)
        elif kind != "BOOKMARK":
            self._store(object_key(obj), self._transform(obj) if self._transform else obj)
        self.version = obj["metadata"]["resourceVersion"]

    def _store(self, key: Key, obj: Json) -> None:
        old = self.items.get(key)
        self.items[key] = obj
        if old is None:
            self._call(self._on_add, obj)
        elif old["metadata"].get("resourceVersion") == obj["metadata"].get("resourceVersion"):
            return
        elif old["metadata"].get("uid") != obj["metadata"].get("uid"):
            # The name was deleted and used again while nobody watched: two objects, two calls.
            self._call(self._on_delete, old)
            self._call(self._on_add, obj)
        else:
            self._call(self._on_update, old, obj)

    def _remove(self, key: Key, last: Json | None = None) -> None:
        old = self.items.pop(key, None)
        if old is not None:
            self._call(self._on_delete, last or old)

    def _call(self, callback: Callable[..., None] | None, *args: Any) -> None:
        if callback is None:
            return
        try:
            callback(*args)
        except Exception:
            log.exception("%s: a callback failed", self._path)
