"""All kinds read from an API: what is added, changed and deleted shows in the exposition, which promtool likes."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from client import Client, Config, object_key
from kube.objects import Json
from monitoring.objects import RESOURCES, ObjectMetrics
from tests.monitoring.objects.build import pod
from tests.monitoring.objects.test_kinds import CASES
from tests.prepare import needs


class Api:
    """Lists, and watches that send what `put` and `remove` are given."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[tuple[str, str], Json]] = {families.path: {} for families in RESOURCES}
        self.watchers: dict[str, list[asyncio.Queue[Json]]] = {path: [] for path in self.objects}
        self.revision = 1
        self.paths = {families.plural: families.path for families in RESOURCES}

    async def start(self) -> str:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    def put(self, plural: str, obj: Json) -> None:
        self._tell(plural, "MODIFIED" if object_key(obj) in self.objects[self.paths[plural]] else "ADDED", obj)
        self.objects[self.paths[plural]][object_key(obj)] = obj

    def remove(self, plural: str, obj: Json) -> None:
        del self.objects[self.paths[plural]][object_key(obj)]
        self._tell(plural, "DELETED", obj)

    def _tell(self, plural: str, kind: str, obj: Json) -> None:
        self.revision += 1
        obj["metadata"] = {
            "uid": f"{plural}-{object_key(obj)}",
            **obj["metadata"],
            "resourceVersion": str(self.revision),
        }
        for queue in self.watchers[self.paths[plural]]:
            queue.put_nowait({"type": kind, "object": obj})

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            return web.json_response(
                {
                    "kind": "List",
                    "apiVersion": "v1",
                    "items": list(self.objects[request.path].values()),
                    "metadata": {"resourceVersion": str(self.revision)},
                }
            )
        response = web.StreamResponse()
        await response.prepare(request)
        queue: asyncio.Queue[Json] = asyncio.Queue()
        self.watchers[request.path].append(queue)
        try:
            while True:
                await response.write(orjson.dumps(await queue.get()) + b"\n")
        finally:
            self.watchers[request.path].remove(queue)


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not check():
            await asyncio.sleep(0.01)


async def _read(api: Api, work: Callable[[ObjectMetrics], Any]) -> None:
    url = await api.start()
    async with Client(Config(url)) as client:
        metrics = ObjectMetrics(client)
        running = asyncio.ensure_future(metrics.run())
        await until(lambda: metrics.synced and all(api.watchers.values()))
        try:
            await work(metrics)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await api.stop()


def test_changes_show() -> None:
    api = Api()

    async def work(metrics: ObjectMetrics) -> None:
        assert b'binnacle_object_metrics_objects{group="",resource="pods"} 1\n' in metrics.render()
        waiting = pod(phase="Pending")
        waiting["metadata"]["name"] = "second"
        waiting["metadata"]["uid"] = "u-2"
        api.put("pods", waiting)
        await until(lambda: b'pod="second",uid="u-2",phase="Pending"} 1\n' in metrics.render())
        api.put("pods", {**waiting, "status": {**waiting["status"], "phase": "Failed"}})
        await until(lambda: b'pod="second",uid="u-2",phase="Failed"} 1\n' in metrics.render())
        assert b'pod="second",uid="u-2",phase="Pending"} 0\n' in metrics.render()
        api.remove("pods", waiting)
        await until(lambda: b'pod="second"' not in metrics.render())
        assert b'kube_pod_info{namespace="shop",pod="web",uid="u-1",' in metrics.render()

    api.put("pods", pod())
    asyncio.run(_read(api, work))


def test_promtool_has_no_complaint_about_any_kind() -> None:
    needs("promtool")
    api = Api()
    texts: list[bytes] = []

    async def work(metrics: ObjectMetrics) -> None:
        texts.append(metrics.render())

    api.put("pods", pod())
    for plural, obj, _ in CASES:
        api.put(plural, {**obj, "metadata": dict(obj["metadata"])})
    asyncio.run(_read(api, work))
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=texts[0], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    heads = [line for line in texts[0].splitlines() if line.startswith(b"# TYPE ")]
    assert len(heads) == len(set(heads)) > 140, "each family once, its samples together"
