"""Who may ask a kubelet what: certificates, tokens and nobody, over TLS, against an API server that has reviews."""

from __future__ import annotations

import asyncio
import re
import ssl
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientSession, web

from client import Client, Config
from config.pki import Authority
from kubelet.server.app import build, only_who_may, tls
from kubelet.server.auth import Caller, Guard, Handler, guarded, of_certificate
from tests.kubelet.fakeapi import FakeApi

NODE = "n1"
# (user, verb, subresource of nodes) -> what it opens, by method and path
CASES = [
    ("metrics", "get", "GET", "/metrics"),
    ("metrics", "get", "GET", "/metrics/cadvisor"),
    ("metrics", "get", "GET", "/metrics/resource"),
    ("metrics", "get", "GET", "/metrics/node"),
    ("stats", "get", "GET", "/stats/summary"),
    ("log", "get", "GET", "/logs/syslog"),
    ("pods", "get", "GET", "/pods"),
    ("configz", "get", "GET", "/configz"),
    ("proxy", "get", "GET", "/pods"),
    ("proxy", "get", "GET", "/configz"),
    ("proxy", "get", "GET", "/containerLogs/ns/pod/c"),
    ("proxy", "get", "GET", "/exec/ns/pod/c"),
    ("proxy", "create", "POST", "/exec/ns/pod/c"),
    ("proxy", "create", "POST", "/run/ns/pod/c"),
    ("proxy", "get", "GET", "/attach/ns/pod/c"),
    ("proxy", "create", "POST", "/attach/ns/pod/c"),
    ("proxy", "get", "GET", "/portForward/ns/pod"),
    ("proxy", "create", "POST", "/portForward/ns/pod"),
]
PAGES = sorted({(method, path) for _, _, method, path in CASES})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pki")
    authority = Authority(made)
    authority.issue("server", "kubelet", names=["127.0.0.1"])
    authority.issue("bob", "bob", ["developers", "system:authenticated"])
    return made


async def asked(folder: Path, api: FakeApi, wanted: list[tuple[str, str]], who: str = "", token: str = "") -> list[int]:
    """The statuses of requests to a server that is guarded as the kubelet is and has a page everywhere."""

    @web.middleware
    async def only_who_may(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await guarded(guard, request, request.path, NODE, handler)

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application(middlewares=[only_who_may])
    app.router.add_route("*", "/{rest:.*}", page)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    context = tls(str(folder / "server.crt"), str(folder / "server.key"), str(folder / "ca.crt"))
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    ours = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    if who:
        ours.load_cert_chain(folder / f"{who}.crt", folder / f"{who}.key")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with Client(Config(await api.start())) as client:
        guard = Guard(client)
        async with ClientSession(f"https://127.0.0.1:{runner.addresses[0][1]}", headers=headers) as session:
            try:
                found = []
                for method, path in wanted:
                    async with session.request(method, path, ssl=ours) as answer:
                        found.append(answer.status)
                return found
            finally:
                await runner.cleanup()
                await api.stop()


@pytest.mark.parametrize(("part", "verb", "method", "path"), CASES)
@pytest.mark.parametrize("way", ["certificate", "token"])
def test_a_right_opens_its_page_and_no_other_right_does(
    folder: Path, way: str, part: str, verb: str, method: str, path: str
) -> None:
    user, who = ("bob", {"who": "bob"}) if way == "certificate" else ("reader", {"token": "reader"})
    api = FakeApi()
    api.rights = {(user, verb, part)}
    assert asyncio.run(asked(folder, api, [(method, path)], **who)) == [200]
    others = {(user, v, p) for p, v, m, at in CASES if (m, at) != (method, path)}
    enough = {(user, v, p) for p, v, m, at in CASES if (m, at) == (method, path)}
    api.rights = others - enough
    assert asyncio.run(asked(folder, api, [(method, path)], **who)) == [403]


def test_every_page_has_its_case() -> None:
    app = build(SimpleNamespace(client=None))  # type: ignore[arg-type]
    assert app.middlewares == [only_who_may]
    for resource in app.router.resources():
        info = resource.get_info()
        whole = info.get("pattern") or re.compile(re.escape(info["path"]))
        assert resource.canonical == "/healthz" or any(whole.fullmatch(path) for _, path in PAGES), resource.canonical


def test_without_a_right_a_certificate_of_the_cluster_opens_nothing_but_health(folder: Path) -> None:
    api = FakeApi()
    api.rights = set()
    assert asyncio.run(asked(folder, api, [*PAGES, ("GET", "/healthz")], "bob")) == [403] * len(PAGES) + [200]


def test_nobody_and_strangers_get_nothing(folder: Path) -> None:
    api = FakeApi()
    assert asyncio.run(asked(folder, api, [*PAGES, ("GET", "/healthz")])) == [401] * len(PAGES) + [200]
    assert asyncio.run(asked(folder, api, PAGES, token="stranger")) == [401] * len(PAGES)


def test_answers_are_kept(folder: Path) -> None:
    api = FakeApi()
    assert asyncio.run(asked(folder, api, [("GET", "/metrics")] * 5, token="reader")) == [200] * 5
    assert api.requests == {("POST", "tokenreviews"): 1, ("POST", "subjectaccessreviews"): 1}


def test_the_review_is_about_the_node_and_says_who(folder: Path) -> None:
    seen: list[dict[str, Any]] = []

    class Listening(FakeApi):
        def _review(self, spec: dict[str, Any]) -> dict[str, Any]:
            seen.append(spec)
            return super()._review(spec)

    asyncio.run(asked(folder, Listening(), [("GET", "/stats/summary")], "bob"))
    about = {"resource": "nodes", "subresource": "stats", "name": NODE, "verb": "get", "version": "v1"}
    assert seen == [{"user": "bob", "groups": ["developers", "system:authenticated"], "resourceAttributes": about}]


def test_whom_a_certificate_names() -> None:
    subject = ((("organizationName", "a"),), (("organizationName", "b"),), (("commonName", "bob"),))
    assert of_certificate({"subject": subject}) == Caller("bob", ("a", "b"))
    assert of_certificate({}) == Caller("")
