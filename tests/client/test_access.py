"""Who may see a page: what the API server says of a token, and how long that counts."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client import access
from client.access import Access, Decisions, Verdict, bearer
from client.kubeconfig import Config
from config import pki
from web.http1 import JSON, Refusal
from web.server import Answer, Request, Server

RIGHTS = {"reader": ("/metrics", "get"), "shipper": ("/ingest", "post"), "nobody": ("", "")}


class Api:
    """Answers reviews as an API server does that knows the tokens of RIGHTS; counts them, and can be away."""

    def __init__(self) -> None:
        self.asked, self.broken = 0, 0

    async def page(self, request: Request) -> Answer:
        self.asked += 1
        if self.broken:
            return Answer(self.broken, JSON, b"{}")
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        review = orjson.loads(await request.read())
        if (request.method, request.path, review["kind"]) != ("POST", access.PATH, "SelfSubjectAccessReview"):
            return Answer(404, JSON, b"{}")
        if token not in RIGHTS:
            return Answer(401, JSON, b"{}")
        if token == "nobody":  # as of an API server without system:basic-user
            return Answer(403, JSON, b"{}")
        wanted = review["spec"]["nonResourceAttributes"]
        allowed = (wanted["path"], wanted["verb"]) == RIGHTS[token]
        return Answer(201, JSON, orjson.dumps({"status": {"allowed": allowed}}))


def asking(story: Callable[[Api, Access], Awaitable[None]]) -> None:
    async def run() -> None:
        api = Api()
        server = Server(api.page)
        port = await server.listen("127.0.0.1", 0)
        try:
            await story(api, Access(Config(f"http://127.0.0.1:{port}")))
        finally:
            await server.close()

    asyncio.run(run())


async def status(made: Access, header: str, path: str = "/metrics", verb: str = "get") -> int:
    try:
        await made.check(header, path, verb)
    except Refusal as refusal:
        return refusal.status
    return 200


@pytest.mark.parametrize(
    ("header", "path", "verb", "wanted"),
    [
        ("Bearer reader", "/metrics", "get", 200),
        ("bearer  reader ", "/metrics", "get", 200),
        ("Bearer reader", "/metrics", "post", 403),
        ("Bearer reader", "/ingest", "post", 403),
        ("Bearer shipper", "/ingest", "post", 200),
        ("Bearer nobody", "/metrics", "get", 403),
        ("Bearer stranger", "/metrics", "get", 401),
        ("", "/metrics", "get", 401),
        ("Bearer ", "/metrics", "get", 401),
        ("Basic reader", "/metrics", "get", 401),
        ("Bearer " + "x" * (access.MAX_TOKEN + 1), "/metrics", "get", 401),
    ],
)
def test_only_a_known_token_with_the_right_gets_in(header: str, path: str, verb: str, wanted: int) -> None:
    async def story(api: Api, made: Access) -> None:
        assert await status(made, header, path, verb) == wanted

    asking(story)


def test_a_refusal_says_what_would_allow_it() -> None:
    async def story(api: Api, made: Access) -> None:
        with pytest.raises(Refusal, match=r'ClusterRole with nonResourceURLs \["/metrics"\] and verbs \["get"\]'):
            await made.check("Bearer shipper", "/metrics")

    asking(story)


def test_the_api_is_asked_once_for_a_token_and_what_it_wants() -> None:
    async def story(api: Api, made: Access) -> None:
        assert [await status(made, "Bearer reader") for _ in range(3)] == [200] * 3
        assert [await status(made, "Bearer shipper") for _ in range(3)] == [403] * 3
        assert api.asked == 2
        assert await status(made, "Bearer reader", verb="post") == 403 and api.asked == 3

    asking(story)


def test_an_api_that_is_away_allows_only_what_it_allowed_lately(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(api: Api, made: Access) -> None:
        assert await status(made, "Bearer reader") == 200 and await status(made, "Bearer shipper") == 403
        api.broken = 500
        monkeypatch.setattr(access, "KEEP", 0.0)
        monkeypatch.setattr(access, "KEEP_REFUSAL", 0.0)
        assert await status(made, "Bearer reader") == 200
        assert await status(made, "Bearer shipper") == 503 and await status(made, "Bearer new") == 503
        monkeypatch.setattr(access, "KEEP_AWAY", 0.0)
        assert await status(made, "Bearer reader") == 503

    asking(story)
    nowhere = Access(Config("http://127.0.0.1:1"))
    assert asyncio.run(status(nowhere, "Bearer reader")) == 503


def test_without_an_api_server_everybody_may() -> None:
    assert asyncio.run(status(Access(None), "")) == 200


def test_our_own_certificate_does_not_speak_for_the_caller(tmp_path: Path) -> None:
    """A server that is shown a certificate believes it before the token: the caller would have our rights."""
    pki.make_all(tmp_path, node="n", addresses=["127.0.0.1"])
    cert, key = ((tmp_path / f"apiserver-kubelet-client.{end}").read_text() for end in ("crt", "key"))
    seen: list[object] = []

    async def page(request: Request) -> Answer:
        return Answer(401, JSON, b"{}")

    async def run() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "apiserver.crt", tmp_path / "apiserver.key")
        context.load_verify_locations(tmp_path / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED  # who shows no certificate is refused
        server = Server(page)
        port = await server.listen("127.0.0.1", 0, context)
        try:
            mine = Access(Config(f"https://127.0.0.1:{port}", (tmp_path / "ca.crt").read_text(), cert, key))
            seen.append(await status(mine, "Bearer reader"))
        finally:
            await server.close()

    asyncio.run(run())
    assert seen == [503]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Token x", "Bearer " + "x" * 20_000])
def test_what_is_no_bearer_token(header: str) -> None:
    with pytest.raises(Refusal):
        bearer(header)


STEPS = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from(["allows", "refuses", "away"]), st.floats(0, 700)), max_size=40
)


@given(STEPS)
def test_what_counts_and_how_long(steps: list[tuple[int, str, float]]) -> None:
    """Against the rule in plain words, over a clock of the test's own; three keys are kept at most."""
    now, model = 0.0, dict[int, tuple[float, bool]]()
    patch = pytest.MonkeyPatch()
    patch.setattr(access.time, "monotonic", lambda: now)
    patch.setattr(access, "MOST", 3)
    decisions = Decisions()

    async def get(key: int, answer: str) -> int:
        async def ask() -> Verdict:
            if answer == "away":
                raise OSError("away")
            return None if answer == "allows" else Refusal(403, "no")

        try:
            await decisions.of(key, ask)
        except Refusal as refusal:
            return refusal.status
        return 200

    async def story() -> None:
        nonlocal now
        for key, answer, passed in steps:
            now += passed
            at, allowed = model.get(key, (-1e9, True))
            known = key in model
            if known and now - at <= (60 if allowed else 10):
                wanted = 200 if allowed else 403
            elif answer == "away":
                wanted = 200 if known and allowed and now - at <= 600 else 503
            else:
                wanted = 200 if answer == "allows" else 403
                model.pop(key, None)
                model[key] = now, answer == "allows"
                while len(model) > 3:
                    del model[next(iter(model))]
            assert await get(key, answer) == wanted
            assert len(decisions._known) == len(model)

    try:
        asyncio.run(story())
    finally:
        patch.undo()
