"""The log store over HTTP: what it takes and answers, and whom."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from client.access import Access
from client.kubeconfig import Config
from kube import clock
from logs.exposition import Tally
from logs.index.backend import Embedded
from logs.index.parts import Bounds, Parts
from logs.index.writer import Writer
from logs.query import moments
from logs.server import Pages
from web.client import HttpSession

ALL = {"logs": None, "events": None, "nodes": True}


def document(number: int, namespace: str = "shop", source: str = "container", **more: Any) -> bytes:
    kubernetes = {"namespace": namespace, "pod": "web-1", "container": "web"} if namespace else {"node": "n1"}
    at = clock.stamp_nano(time.time_ns() - 10**9 * (100 - number))
    return orjson.dumps(
        {
            "_id": f"{number:032x}",
            "@timestamp": at,
            "message": f"line {number} of {namespace or source}",
            "source": source,
            "kubernetes": kubernetes,
            **more,
        }
    )


@asynccontextmanager
async def serving(
    folder: Path, access: Access | None = None, bounds: Bounds | None = None
) -> AsyncIterator[HttpSession]:
    """A store in this process, and a line to it."""
    loop = asyncio.get_running_loop()
    parts = Parts(folder, bounds or Bounds())

    def committed() -> None:
        loop.call_soon_threadsafe(pages.committed)

    writer = Writer(parts, committed)
    pages = Pages(Embedded(parts, writer), access or Access(None), Tally(), writer)
    web = pages.web()
    server = HttpSession(f"http://127.0.0.1:{await web.listen('127.0.0.1', 0)}", connections=8)
    try:
        yield server
    finally:
        server.close()
        await web.close()
        await pages.close()


def served(folder: Path, work: Callable[[HttpSession], Awaitable[None]], **more: Any) -> None:
    async def run() -> None:
        async with serving(folder, **more) as server:
            await work(server)

    asyncio.run(run())


async def ask(server: HttpSession, what: str, token: str = "", **body: Any) -> Any:
    """Status and answer."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = await server.request("POST", f"/{what}", orjson.dumps(body), headers)
    return answer.status, orjson.loads(answer.body)


async def fill(server: HttpSession) -> None:
    lines = [
        document(1),
        document(2, "bank"),
        document(3, "shop", "event"),
        document(4, "bank", "event"),
        document(5, "", "node"),
        document(6, "", "control-plane"),
        document(7, level="error"),
    ]
    answer = await server.request(
        "POST", "/ingest", gzip.compress(b"\n".join(lines) + b"\n"), {"Content-Encoding": "gzip"}
    )
    assert (answer.status, orjson.loads(answer.body)) == (200, {"results": []})


def test_lines_go_in_and_come_out_within_the_scope(tmp_path: Path) -> None:
    async def work(server: HttpSession) -> None:
        await fill(server)
        seen = {}
        for name, scope in {
            "all": ALL,
            "none": {"logs": [], "events": [], "nodes": False},
            "shop": {"logs": ["shop"], "events": [], "nodes": False},
            "events": {"logs": ["shop"], "events": ["bank"], "nodes": False},
            "nodes": {"logs": [], "events": [], "nodes": True},
        }.items():
            _, found = await ask(server, "search", query="", scope=scope, order="oldest")
            seen[name] = [int(line["_id"], 16) for line in found["lines"]]
            counted = (await ask(server, "histogram", query="", scope=scope, **{"from": "now-15m", "to": "now"}))[1]
            assert counted["total"] == len(seen[name]) and counted["dropped_until"] is None
            top = (await ask(server, "top", field="source", scope=scope))[1]
            assert sum(number for _, number in top["values"]) == len(seen[name])
            text = await server.request("POST", "/download", orjson.dumps({"scope": scope, "format": "json"}))
            assert [int(orjson.loads(line)["_id"], 16) for line in text.body.splitlines()] == seen[name]
        assert seen == {"all": [1, 2, 3, 4, 5, 6, 7], "none": [], "shop": [1, 7], "events": [1, 4, 7], "nodes": [5, 6]}
        narrow = {"logs": ["shop"], "events": [], "nodes": False}
        _, found = await ask(server, "search", query="NOT nothing OR ns:bank", scope=narrow)
        assert [line["kubernetes"]["namespace"] for line in found["lines"]] == ["shop", "shop"]

    served(tmp_path, work)


def test_a_download_that_is_cut_says_so(tmp_path: Path) -> None:
    async def work(server: HttpSession) -> None:
        await fill(server)
        for form, last in (
            ("text", b"[cut after 3 lines: choose a shorter time or a narrower query]"),
            ("json", b'{"cut":"cut after 3 lines: choose a shorter time or a narrower query"}'),
        ):
            answer = await server.request("POST", "/download", orjson.dumps({"scope": ALL, "format": form, "limit": 3}))
            lines = answer.body.splitlines()
            assert len(lines) == 4 and lines[-1] == last

    served(tmp_path, work)


def test_around_a_line_are_those_of_its_container_and_only_in_scope(tmp_path: Path) -> None:
    async def work(server: HttpSession) -> None:
        await fill(server)
        line = (await ask(server, "search", query="level:error", scope=ALL))[1]["lines"][0]
        found = (await ask(server, "around", line=line, scope=ALL, limit=5))[1]
        assert [int(one["_id"], 16) for one in found["before"]] == [1] and found["after"] == []
        found = (await ask(server, "around", line=line, scope={"logs": ["bank"], "events": [], "nodes": False}))[1]
        assert found == {"before": [], "after": []}

    served(tmp_path, work)


def test_questions_that_can_not_be_answered_say_what_is_wrong(tmp_path: Path) -> None:
    async def work(server: HttpSession) -> None:
        assert await ask(server, "search", query="a lebel:x", scope=ALL) == (
            400,
            {
                "error": "there is no field 'lebel': did you mean level? To search for the text, put it in quotes",
                "column": 2,
                "length": 5,
            },
        )
        for what, body, words in (
            ("search", {}, "scope"),
            ("search", {"scope": {"logs": None}}, "scope"),
            ("search", {"scope": ALL, "limit": 5000}, "limit: a number from 1 to 1000"),
            ("search", {"scope": ALL, "from": "noon"}, "from: 'noon' is no time"),
            ("search", {"scope": ALL, "after": [1]}, "after: [time, id]"),
            ("top", {"scope": ALL, "field": "message"}, "field: 'message' has no top values"),
            ("around", {"scope": ALL}, "line: the document"),
            ("download", {"scope": ALL, "format": "xml"}, "format: text or json"),
        ):
            status, found = await ask(server, what, **body)
            assert status == 400 and words in found["error"], (what, body, found)
        for method, path, status in (("GET", "/search", 405), ("GET", "/nothing", 404), ("POST", "/ingest", 200)):
            assert (await server.request(method, path)).status == status
        assert (await server.request("POST", "/ingest", b"{}", {"Content-Encoding": "br"})).status == 400
        assert (await server.request("POST", "/ingest", b"\0", {"Content-Encoding": "gzip"})).status == 400
        bomb = gzip.compress(b" " * (17 << 20))
        assert (await server.request("POST", "/ingest", bomb, {"Content-Encoding": "gzip"})).status == 413

    served(tmp_path, work)


def test_a_full_disk_is_answered_with_try_again(tmp_path: Path) -> None:
    async def work(server: HttpSession) -> None:
        answer = await server.request("POST", "/ingest", document(1))
        assert answer.status == 503 and answer.headers["retry-after"] == "10"
        assert "MiB are free" in orjson.loads(answer.body)["error"]

    served(tmp_path, work, bounds=Bounds(free=1 << 60))


def test_who_follows_is_told_each_line_and_that_the_store_lives(tmp_path: Path) -> None:
    async def work(server: HttpSession) -> None:
        body = orjson.dumps({"query": "line", "scope": {"logs": ["shop"], "events": [], "nodes": False}})
        async with server.open("POST", "/tail", 60, body) as (answer, pieces):
            assert answer.status == 200
            assert orjson.loads(await anext(pieces)) == {"beat": True}
            await fill(server)
            seen: list[int] = []
            while len(seen) < 2:
                seen += [int(line["_id"], 16) for line in orjson.loads(await anext(pieces)).get("lines", [])]
            assert seen == [1, 7]

    served(tmp_path, work)


def test_the_metrics_are_there(tmp_path: Path) -> None:
    async def work(server: HttpSession) -> None:
        await fill(server)
        text = (await server.request("GET", "/metrics")).body.decode()
        assert "binnacle_log_store_lines_total 7\n" in text and 'backend="embedded"' in text
        assert "binnacle_log_store_indices 1\n" in text and "binnacle_log_store_dropped_lines_total 0\n" in text
        assert (await server.request("GET", "/readyz")).body == b"ok\n"

    served(tmp_path, work)


def test_lines_that_were_dropped_for_room_are_counted_and_told(tmp_path: Path) -> None:
    async def work(server: HttpSession) -> None:
        for number in range(4):
            assert (await server.request("POST", "/ingest", document(number))).status == 200
        text = (await server.request("GET", "/metrics")).body.decode()
        assert "binnacle_log_store_dropped_lines_total 2\n" in text
        dropped = orjson.loads(document(1))["@timestamp"]
        until = (await ask(server, "histogram", scope=ALL, **{"from": "now-15m", "to": "now"}))[1]["dropped_until"]
        assert abs(moments.nanoseconds(until) - moments.nanoseconds(dropped)) < 60 * 10**9

    served(tmp_path, work, bounds=Bounds(size=1))


class Api:
    """An API server that knows two tokens: one may /search, one may /ingest."""

    def __init__(self) -> None:
        self.asked = 0
        self.up = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].split("\r\n")[0])
        review = orjson.loads(await reader.readexactly(length))
        self.asked += 1
        token, wanted = head.partition("bearer ")[2].split("\r\n")[0], review["spec"]["nonResourceAttributes"]
        allowed = wanted["verb"] == "post" and wanted["path"] == {"reader": "/search", "shipper": "/ingest"}.get(token)
        status = 201 if token in ("reader", "shipper") else 401
        body = orjson.dumps({"status": {"allowed": allowed}})
        if self.up:
            writer.write(
                b"HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body
            )
        writer.close()


def test_only_tokens_with_the_right_are_answered(tmp_path: Path, monkeypatch: Any) -> None:
    async def run() -> None:
        api = Api()
        listening = await asyncio.start_server(api.serve, "127.0.0.1", 0)
        access = Access(Config(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"))
        async with serving(tmp_path, access) as server:
            assert (await ask(server, "search", scope=ALL))[0] == 401
            assert (await ask(server, "search", "stranger", scope=ALL))[0] == 401
            status, found = await ask(server, "search", "shipper", scope=ALL)
            assert status == 403 and 'nonResourceURLs ["/search"]' in found["error"]
            assert (await ask(server, "ingest", "reader"))[0] == 403
            every = Pages(None, access, Tally()).pages()  # type: ignore[arg-type] # asks its store nothing
            guarded = [path.removeprefix("/") for method, path in every if method == "POST"]
            assert [path for method, path in every if method != "POST"] == ["/healthz", "/readyz", "/metrics"]
            for what in guarded:
                assert (await ask(server, what, scope=ALL))[0] == 401, what
                assert (await ask(server, what, "reader" if what == "ingest" else "shipper", scope=ALL))[0] == 403, what
            asked = api.asked
            assert (await ask(server, "search", "reader", scope=ALL))[0] == 200
            assert (await ask(server, "search", "reader", scope=ALL))[0] == 200
            assert api.asked == asked + 1, "an answer is kept"
            api.up = False
            monkeypatch.setattr("client.access.KEEP", 0.0)
            assert (await ask(server, "search", "reader", scope=ALL))[0] == 200, "what was allowed lately stays so"
            assert (await ask(server, "search", "unknown", scope=ALL))[0] == 503
            assert (await server.request("GET", "/healthz")).status == 200
        listening.close()

    asyncio.run(run())
