"""A tiny API server for the kubelet's tests: objects in a dict, list and watch, merge patches, deletion with grace."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import orjson
from aiohttp import web

from kube.objects import Json

GROUPS = "/{api:api/v1|apis/[^/]+/[^/]+}"


def merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


class FakeApi:
    """`objects` by (plural, namespace, name).  `requests` counts (method, plural).

    Reviews: the token `reader` is the user of that name; `rights` has (user, verb, subresource of nodes), "*" for all.
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Json] = {}
        self.requests: dict[tuple[str, str], int] = {}
        self.tokens = 0
        self.rights = {("client", "*", "*"), ("reader", "get", "metrics"), ("reader", "get", "stats")}
        self._version = itertools.count(1)
        self._watchers: list[tuple[str, asyncio.Queue[bytes], Json]] = []
        self._past: list[tuple[int, str, Json, bytes]] = []  # every change: version, plural, object, line of a watch
        self.last = 0
        self._runner: web.AppRunner | None = None
        self.port = 0

    # -- objects --------------------------------------------------------------------------------------------------------

    def put(self, plural: str, obj: Json, kind: str = "MODIFIED") -> Json:
        metadata = obj["metadata"]
        key = (plural, metadata.get("namespace", ""), metadata["name"])
        old = self.objects.get(key)
        metadata.setdefault("uid", old["metadata"]["uid"] if old else f"uid-{metadata['name']}-{next(self._version)}")
        metadata.setdefault("generation", 1)
        self.last = next(self._version)
        metadata["resourceVersion"] = str(self.last)
        self.objects[key] = obj
        self._notify(plural, "ADDED" if old is None else kind, obj)
        return obj

    def remove(self, plural: str, namespace: str, name: str) -> None:
        obj = self.objects.pop((plural, namespace, name))
        self.last = next(self._version)
        obj["metadata"]["resourceVersion"] = str(self.last)
        self._notify(plural, "DELETED", obj)

    def get(self, plural: str, name: str, namespace: str = "default") -> Json:
        return self.objects[(plural, namespace, name)]

    def delete_pod(self, name: str, grace: int = 30) -> None:
        pod = orjson.loads(orjson.dumps(self.get("pods", name)))
        pod["metadata"].update(deletionTimestamp="2026-01-01T00:00:00Z", deletionGracePeriodSeconds=grace)
        self.put("pods", pod)

    def events(self, reason: str) -> list[str]:
        return [o["message"] for key, o in self.objects.items() if key[0] == "events" and o["reason"] == reason]

    def _notify(self, plural: str, kind: str, obj: Json) -> None:
        line = orjson.dumps({"type": kind, "object": obj}) + b"\n"
        self._past.append((self.last, plural, orjson.loads(orjson.dumps(obj)), line))
        for wanted, queue, query in self._watchers:
            if wanted == plural and self._matches(obj, query):
                queue.put_nowait(line)

    @staticmethod
    def _matches(obj: Json, query: Json) -> bool:
        for pair in filter(None, query.get("fieldSelector", "").split(",")):
            path, _, value = pair.partition("=")
            found: Any = obj
            for part in path.split("."):
                found = (found or {}).get(part)
            if found != value:
                return False
        return query["namespace"] in ("", obj["metadata"].get("namespace", ""))

    # -- HTTP -----------------------------------------------------------------------------------------------------------

    async def start(self, port: int = 0) -> str:
        app = web.Application(client_max_size=1 << 24)
        ends = ("/namespaces/{namespace}/{plural}", "/{plural}")
        for end in ends:
            app.router.add_route("*", GROUPS + end, self._collection)
            app.router.add_route("*", GROUPS + end + "/{name}", self._one)
            app.router.add_route("*", GROUPS + end + "/{name}/{sub}", self._one)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.port = self._runner.addresses[0][1]
        return f"http://127.0.0.1:{self.port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def _count(self, request: web.Request) -> None:
        key = (request.method, request.match_info["plural"])
        self.requests[key] = self.requests.get(key, 0) + 1

    async def _collection(self, request: web.Request) -> web.StreamResponse:
        self._count(request)
        plural = request.match_info["plural"]
        query: Json = {**request.query, "namespace": request.match_info.get("namespace", "")}
        if request.method == "POST":
            obj = await request.json()
            if plural in ("tokenreviews", "subjectaccessreviews"):
                return web.json_response({**obj, "status": self._review(obj["spec"])}, status=201)
            if query["namespace"]:
                obj["metadata"]["namespace"] = query["namespace"]
            key = (plural, query["namespace"], obj["metadata"]["name"])
            if key in self.objects:
                return self._refuse(409, "AlreadyExists")
            return web.json_response(self.put(plural, obj), status=201)
        if request.query.get("watch") == "true":
            return await self._watch(request, plural, query)
        items = [o for key, o in self.objects.items() if key[0] == plural and self._matches(o, query)]
        return web.json_response({"kind": "List", "metadata": {"resourceVersion": str(self.last)}, "items": items})

    async def _watch(self, request: web.Request, plural: str, query: Json) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        entry = (plural, queue, query)
        since = int(request.query["resourceVersion"])
        # Deletions too: what goes between the list and the watch must be told.
        for version, changed, obj, line in self._past:
            if changed == plural and version > since and self._matches(obj, query):
                queue.put_nowait(line)
        self._watchers.append(entry)
        try:
            while True:
                await response.write(await queue.get())
        finally:
            self._watchers.remove(entry)

    async def _one(self, request: web.Request) -> web.Response:
        self._count(request)
        info = request.match_info
        key = (info["plural"], info.get("namespace", ""), info["name"])
        if info.get("sub") == "token":
            return web.json_response({"status": self._token()}, status=201)
        obj = self.objects.get(key)
        if obj is None:
            return self._refuse(404, "NotFound")
        if request.method == "PATCH":
            patch = await request.json()
            if (patch.get("metadata") or {}).get("uid", obj["metadata"]["uid"]) != obj["metadata"]["uid"]:
                return self._refuse(409, "Conflict")
            return web.json_response(self.put(key[0], merge(obj, patch)))
        if request.method == "DELETE":
            self.remove(*key)
            return web.json_response({"kind": "Status", "status": "Success"})
        return web.json_response(obj)

    def _review(self, spec: Json) -> Json:
        if "token" in spec:
            known = spec["token"] == "reader"
            return {"authenticated": known, "user": {"username": "reader", "groups": ["g"]} if known else {}}
        about = spec["resourceAttributes"]
        wanted = (spec["user"], about["verb"], about["subresource"])
        return {"allowed": about["resource"] == "nodes" and bool({wanted, (spec["user"], "*", "*")} & self.rights)}

    def _token(self) -> Json:
        self.tokens += 1
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        return {"token": f"token-{self.tokens}", "expirationTimestamp": expires}

    @staticmethod
    def _refuse(code: int, reason: str) -> web.Response:
        return web.json_response(
            {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason}, status=code
        )


mapped = False
"""Pods have user namespaces of their own if nothing else is said."""


def pod(name: str, *containers: Json, node: str = "n1", **spec: Any) -> Json:
    """A pod with the defaults that the API server would have set."""
    if mapped and not any(spec.get(key) for key in ("hostPID", "hostIPC", "hostNetwork")):
        spec = {"hostUsers": False, **spec}
    made = [{"image": "host", "imagePullPolicy": "IfNotPresent", "resources": {}, **c} for c in containers]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"nodeName": node, "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "containers": made}
        | spec,
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    }
