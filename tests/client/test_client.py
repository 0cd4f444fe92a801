"""Client and reflector against a tiny server that speaks list, watch and errors."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import orjson
import pytest
from aiohttp import web

from client import ApiStatusError, Backoff, Client, Config, KubeconfigError, Reflector, load, resource_path


def pod(name: str, version: int, uid: str = "") -> dict[str, Any]:
    return {"metadata": {"namespace": "d", "name": name, "resourceVersion": str(version), "uid": uid or name}}


class Server:
    """Answers lists from `items` and watches from scripts: each a list of events, sent and then ended."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.version = 1
        self.scripts: list[Any] = []
        self.watched: list[str] = []
        self.lists = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") != "true":
            self.lists += 1
            return web.json_response(
                {"kind": "PodList", "metadata": {"resourceVersion": str(self.version)}, "items": self.items}
            )
        self.watched.append(request.query["resourceVersion"])
        script = self.scripts.pop(0) if self.scripts else None
        if isinstance(script, int):
            return web.json_response({"kind": "Status", "code": script, "reason": "Expired"}, status=script)
        response = web.StreamResponse()
        await response.prepare(request)
        if script is None:
            await asyncio.sleep(30)
        for event in script or ():
            text = orjson.dumps(event) + b"\n"
            await response.write(text[:7])
            await response.write(text[7:])
        return response


async def start(handler: Any) -> tuple[web.AppRunner, str]:
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


def reflect(server: Server, until: Any, seconds: float = 60) -> list[tuple[str, str]]:
    calls: list[tuple[str, str]] = []

    def note(kind: str) -> Any:
        return lambda *objs: calls.append((kind, objs[-1]["metadata"]["name"] if objs else ""))

    async def main() -> None:
        runner, url = await start(server.handle)
        async with Client(Config(server=url)) as client:
            reflector = Reflector(
                client, "/api/v1/pods", on_add=note("add"), on_update=note("update"), on_delete=note("delete")
            )
            task = asyncio.create_task(reflector.run())
            async with asyncio.timeout(seconds):
                while not until(calls, reflector):
                    await asyncio.sleep(0.01)
            task.cancel()
        await runner.cleanup()

    asyncio.run(main())
    return calls


def event(kind: str, obj: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "object": obj}


def test_reflector_lists_then_follows_and_resumes_from_the_bookmark() -> None:
    server = Server()
    server.items = [pod("a", 1)]
    server.scripts = [
        [event("ADDED", pod("b", 2)), event("MODIFIED", pod("a", 3)), event("BOOKMARK", pod("", 9))],
        [event("DELETED", pod("a", 10))],
    ]
    calls = reflect(server, lambda calls, r: ("delete", "a") in calls)
    assert calls == [("add", "a"), ("add", "b"), ("update", "a"), ("delete", "a")]
    assert server.watched[:2] == ["1", "9"]
    assert server.lists == 1


@pytest.mark.parametrize("how", ["event", "status"])
def test_reflector_lists_again_after_gone(how: str) -> None:
    server = Server()
    server.items = [pod("a", 1)]
    gone = event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})
    server.scripts = [[gone] if how == "event" else 410]

    def until(calls: Any, reflector: Any) -> bool:
        if server.watched:
            server.items, server.version = [pod("b", 5)], 5
        return ("add", "b") in calls

    assert reflect(server, until) == [("add", "a"), ("delete", "a"), ("add", "b")]
    assert server.lists == 2


def test_reflector_sees_a_name_used_again_as_two_objects() -> None:
    server = Server()
    server.items = [pod("a", 1, "u1")]
    server.scripts = [[event("ADDED", pod("a", 4, "u2"))]]
    assert reflect(server, lambda calls, r: len(calls) == 3) == [("add", "a"), ("delete", "a"), ("add", "a")]


def test_list_follows_continue_and_names_kinds() -> None:
    async def handler(request: web.Request) -> web.Response:
        more = "continue" not in request.query
        metadata = {"resourceVersion": "7", **({"continue": "t"} if more else {})}
        body = {"kind": "PodList", "apiVersion": "v1", "metadata": metadata}
        return web.json_response({**body, "items": [pod("a" if more else "b", 1)]})

    async def main() -> dict[str, Any]:
        runner, url = await start(handler)
        async with Client(Config(server=url)) as client:
            answer = await client.list("/api/v1/pods")
        await runner.cleanup()
        return answer

    answer = asyncio.run(main())
    assert [(item["kind"], item["metadata"]["name"]) for item in answer["items"]] == [("Pod", "a"), ("Pod", "b")]


class Counted:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.codes: list[tuple[str, str]] = []
        self.took_: list[str] = []
        self.hosts: set[str] = set()

    def answered(self, method: str, host: str, code: str) -> None:
        self.codes.append((method, code))
        self.hosts.add(host)

    def took(self, method: str, host: str, seconds: float) -> None:
        assert 0 <= seconds < 60
        self.took_.append(method)
        self.hosts.add(host)


def test_an_observer_is_told_of_every_request() -> None:
    counted, server = Counted(), Server()
    server.scripts = [[{"type": "ADDED", "object": pod("a", 2)}], 410]

    async def main() -> str:
        runner, url = await start(server.handle)
        async with Client(Config(url), observer=counted) as client:
            await client.get("/x")
            watch = {"watch": "true", "resourceVersion": "1"}
            assert [event["type"] async for event in client.stream("/x", watch, 30)] == ["ADDED"]
            with pytest.raises(ApiStatusError):
                await client.get("/x", watch)
            await runner.cleanup()
            with pytest.raises(client.failures):
                await client.delete("/x")
        return url

    url = asyncio.run(main())
    assert counted.codes == [("GET", "200"), ("GET", "200"), ("GET", "410"), ("DELETE", "<error>")]
    assert counted.took_ == ["GET", "GET", "DELETE"], "a watch lasts as long as it is wanted"
    assert counted.hosts == {url.removeprefix("http://")}


def test_an_answer_without_status_still_names_code_and_path() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=503, text="down", headers={"Retry-After": "3"})

    async def main() -> ApiStatusError:
        runner, url = await start(handler)
        async with Client(Config(server=url)) as client:
            with pytest.raises(ApiStatusError) as caught:
                await client.get("/api/v1/pods")
        await runner.cleanup()
        return caught.value

    error = asyncio.run(main())
    assert (error.code, error.message, error.retry_after, error.retryable) == (503, "down", 3.0, True)


def test_paths() -> None:
    assert resource_path("v1", "pods", "d", "a", "status") == "/api/v1/namespaces/d/pods/a/status"
    assert resource_path("apps/v1", "deployments") == "/apis/apps/v1/deployments"


def test_backoff_doubles_up_to_its_bound_and_resets() -> None:
    backoff = Backoff(first=1, longest=4, jitter=0)
    assert [backoff.delay() for _ in range(4)] == [1, 2, 4, 4]
    backoff.reset()
    assert backoff.delay() == 1


KUBECONFIG = """
current-context: c
contexts: [{name: c, context: {cluster: k, user: u, namespace: n}}]
clusters: [{name: k, cluster: {server: "https://h:1/", certificate-authority-data: %s}}]
users: [{name: u, user: {token: secret}}]
"""


def test_kubeconfig(tmp_path: Any) -> None:
    file = tmp_path / "config"
    file.write_text(KUBECONFIG % base64.b64encode(b"PEM").decode())
    config = load(file)
    assert (config.server, config.ca, config.token, config.namespace) == ("https://h:1", "PEM", "secret", "n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "is not a kubeconfig"),
        ("current-context: c", "contexts has no entry named 'c'"),
        ("contexts: []", "current-context is not set"),
        (KUBECONFIG % "'%%'", "certificate-authority-data is not base64"),
    ],
)
def test_kubeconfig_errors_name_the_field(tmp_path: Any, text: str, words: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(KubeconfigError, match=words):
        load(file)
