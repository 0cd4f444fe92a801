"""The part of the API that the server reads, in memory: lists and watches over HTTP on loopback."""

from __future__ import annotations

import asyncio
from functools import partial

import orjson
from aiohttp import web

from kube.objects import Json

PATHS = {
    "namespaces": "/api/v1/namespaces",
    "services": "/api/v1/services",
    "pods": "/api/v1/pods",
    "endpointslices": "/apis/discovery.k8s.io/v1/endpointslices",
}


class FakeApi:
    """Holds objects by collection; `put` and `remove` tell the watchers. It selects nothing."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Json]] = {name: {} for name in PATHS}
        self.revision, self.port = 1, 0
        self._watchers: dict[str, set[asyncio.Queue[Json]]] = {name: set() for name in PATHS}

    async def start(self, port: int = 0) -> FakeApi:
        app = web.Application()
        for name, path in PATHS.items():
            app.router.add_get(path, partial(self._serve, name=name))
        app.router.add_get("/version", lambda request: self._version())
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def stop(self) -> None:
        await self._runner.cleanup()

    @staticmethod
    async def _version() -> web.Response:
        return web.json_response({"major": "1"})

    def put(self, collection: str, obj: Json) -> None:
        key = f"{obj['metadata'].get('namespace')}/{obj['metadata']['name']}"
        old = self.objects[collection].get(key)
        self.revision += 1
        meta = {"uid": key, **obj["metadata"], "resourceVersion": str(self.revision)}
        self.objects[collection][key] = {**obj, "metadata": meta}
        self._tell(collection, "MODIFIED" if old else "ADDED", self.objects[collection][key])

    def remove(self, collection: str, name: str) -> None:
        self.revision += 1
        obj = self.objects[collection].pop(f"default/{name}")
        obj["metadata"]["resourceVersion"] = str(self.revision)
        self._tell(collection, "DELETED", obj)

    def watchers(self, collection: str) -> int:
        """How many watches are open."""
        return len(self._watchers[collection])

    def _tell(self, collection: str, kind: str, obj: Json) -> None:
        for watcher in self._watchers[collection]:
            watcher.put_nowait({"type": kind, "object": obj})

    async def _serve(self, request: web.Request, name: str) -> web.StreamResponse:
        if "watch" not in request.query:
            return web.Response(
                body=orjson.dumps(
                    {
                        "kind": "List",
                        "apiVersion": "v1",
                        "metadata": {"resourceVersion": str(self.revision)},
                        "items": list(self.objects[name].values()),
                    }
                ),
                content_type="application/json",
            )
        response = web.StreamResponse()
        await response.prepare(request)
        queue: asyncio.Queue[Json] = asyncio.Queue()
        self._watchers[name].add(queue)
        try:
            while True:
                await response.write(orjson.dumps(await queue.get()) + b"\n")
        finally:
            self._watchers[name].discard(queue)
