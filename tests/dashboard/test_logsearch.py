"""Log search through the dashboard: a user is shown the lines of his namespaces, in answers, counts, tail and download."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from cluster.store import Store
from kube.users import AUTHENTICATED, MASTERS, User
from tests.dashboard import world
from tests.dashboard.drive import Page, session, socket_to
from tests.logs.search.test_server import document, serving
from web.client import HttpSession

ADMIN, GUEST = User("root", groups=(MASTERS, AUTHENTICATED)), User("guest", groups=(AUTHENTICATED,))
PATIENCE = 60.0
PLACES = {1: "guestbook", 2: "ledger", 3: "guestbook", 4: "ledger"}  # the namespaces of the lines below
Peopled = tuple[Store, dict[str, Any]]


def allow(store: Store, user: User, namespace: str, *rules: dict[str, Any]) -> None:
    group = "rbac.authorization.k8s.io"
    role = {
        "apiVersion": f"{group}/v1",
        "kind": "Role",
        "metadata": world.meta("logs", namespace),
        "rules": list(rules),
    }
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": world.meta("logs", namespace),
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "logs"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user.name}],
    }
    world.create(store, role, binding)


READ_LOGS = {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}
LIST_EVENTS = {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]}


def switched_on(store: Store, port: int) -> None:
    world.create(
        store,
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": world.meta("log-store", "kube-system"),
            "spec": {"clusterIP": "127.0.0.1", "ports": [{"port": port}]},
        },
    )


@asynccontextmanager
async def filled(store: Store, folder: Path) -> AsyncIterator[HttpSession]:
    """A log store that the dashboard finds, with lines of guestbook, ledger and the node."""
    async with serving(folder) as server:
        switched_on(store, server.address.place.port)
        lines = [
            document(1, "guestbook"),
            document(2, "ledger"),
            document(3, "guestbook", "event"),
            document(4, "ledger", "event"),
            document(5, "", "node"),
        ]
        assert (await server.request("POST", "/ingest", b"\n".join(lines))).status == 200
        yield server


async def opened(user: User) -> Page:
    from asgiref.sync import sync_to_async

    page = Page(socket_to("/c/local/logsearch", await sync_to_async(session)(user)))
    await page.socket.connect()
    return page


async def answer(page: Page, op: str, **fields: Any) -> dict[str, Any]:
    await page.ask(op=op, id=7, **fields)
    return dict((await page.wait_for("answer", 7, PATIENCE))["found"])


def ids(found: list[dict[str, Any]]) -> list[int]:
    return [int(line["_id"], 16) for line in found]


@pytest.mark.parametrize(
    ("user", "rules", "seen"),
    [
        (ADMIN, (), [1, 2, 3, 4, 5]),
        (GUEST, (), []),
        (GUEST, (READ_LOGS,), [1]),
        (GUEST, (READ_LOGS, LIST_EVENTS), [1, 3]),
    ],
    ids=["administrator", "nobody", "logs of one namespace", "logs and events of one namespace"],
)
def test_what_a_user_sees(
    peopled: Peopled, tmp_path: Path, user: User, rules: tuple[Any, ...], seen: list[int]
) -> None:
    store, _ = peopled

    async def work() -> None:
        async with filled(store, tmp_path):
            if rules:
                allow(store, user, "guestbook", *rules)
            page = await opened(user)
            # What the page itself says of a scope is not listened to.
            everything = {"logs": None, "events": None, "nodes": True}
            found = await answer(page, "search", query="", order="oldest", scope=everything)
            assert ids(found["lines"]) == seen
            counted = await answer(page, "histogram", query="", scope=everything, **{"from": "now-15m", "to": "now"})
            assert counted["total"] == len(seen)
            top = await answer(page, "top", field="namespace", scope=everything)
            assert {name for name, _ in top["values"]} == {PLACES[number] for number in seen if number in PLACES}
            found = await answer(page, "search", query="ns:ledger OR NOT ns:ledger", namespaces=["ledger"])
            assert ids(found["lines"]) == ([4, 2] if user is ADMIN else [])
            await page.socket.disconnect()

    asyncio.run(work())


def test_a_tail_is_limited_and_follows_the_rights(
    peopled: Peopled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard import consumers

    monkeypatch.setattr(consumers, "CHECK_SESSION", 0.05)
    store, _ = peopled

    async def work() -> None:
        async with filled(store, tmp_path) as server:
            allow(store, GUEST, "guestbook", READ_LOGS)
            page = await opened(GUEST)
            await page.ask(op="tail", id=1, query="line")
            assert (await page.wait_for("tail", 1, PATIENCE))["beat"] is True
            await server.request("POST", "/ingest", document(11, "guestbook") + b"\n" + document(12, "ledger"))
            assert await followed(page) == [11]
            allow(store, GUEST, "ledger", READ_LOGS)
            while (told := await page.socket.output())["type"] != "websocket.close":
                pass
            assert told["code"] == consumers.CHANGED  # the page comes again, and sees what it may now
            page = await opened(GUEST)
            await page.ask(op="tail", id=1, query="line")
            assert (await page.wait_for("tail", 1, PATIENCE))["beat"] is True
            await server.request("POST", "/ingest", document(21, "ledger"))
            assert await followed(page) == [21]
            await page.socket.disconnect()

    asyncio.run(work())


async def followed(page: Page) -> list[int]:
    """The ids of the next lines of the tail."""
    while True:
        told = await page.wait_for("tail", 1, PATIENCE)
        if told.get("lines"):
            return ids(told["lines"])


def test_a_wrong_query_a_store_that_is_off_and_one_that_is_away(peopled: Peopled, tmp_path: Path) -> None:
    store, _ = peopled

    async def work() -> None:
        page = await opened(ADMIN)
        await page.ask(op="search", id=1, query="")
        told = await page.wait_for("error", 1, PATIENCE)
        assert told["why"] == "off" and "switched off" in told["message"]
        async with filled(store, tmp_path):
            deadline = time.monotonic() + PATIENCE
            while told.get("why") == "off" and time.monotonic() < deadline:  # until the cache has the service
                await page.ask(op="search", id=1, query="a lebel:x")
                told = await page.wait_for("error", 1, PATIENCE)
            assert (told["column"], told["length"]) == (2, 5)
            await page.ask(op="erase", id=1)
            assert "unknown request" in (await page.wait_for("error", 1, PATIENCE))["message"]
        await page.ask(op="search", id=1, query="")
        told = await page.wait_for("error", 1, PATIENCE)
        assert told["why"] == "away" and "No answer from the log store for" in told["message"]
        await page.socket.disconnect()

    asyncio.run(work())


@pytest.mark.parametrize(("user", "seen"), [(ADMIN, [1, 2, 3, 4, 5]), (GUEST, [1]), (None, None)])
def test_a_download_is_limited_like_the_page(
    peopled: Peopled, tmp_path: Path, user: User | None, seen: list[int] | None
) -> None:
    from asgiref.sync import sync_to_async
    from django.conf import settings
    from django.test import AsyncClient, override_settings

    store, _ = peopled

    async def work() -> None:
        async with filled(store, tmp_path):
            allow(store, GUEST, "guestbook", READ_LOGS)
            client = AsyncClient()
            if user is not None:
                client.cookies[settings.SESSION_COOKIE_NAME] = await sync_to_async(session)(user)
            response: Any = await client.get("/c/local/logs/download?format=json")
            if seen is None:
                assert response.status_code == 401
                return
            body = b"".join([piece async for piece in response.streaming_content])
            assert ids([orjson.loads(line) for line in body.splitlines()]) == seen
            assert response["Content-Disposition"] == 'attachment; filename="logs.jsonl"'
            bare: Any = await client.head("/c/local/logs/download?format=json")
            assert bare["Content-Disposition"] == response["Content-Disposition"] and not list(bare.streaming_content)
            assert (await client.head("/c/local/logs/download?q=lebel:x")).status_code == 400
            wrong = await client.get("/c/local/logs/download?q=lebel:x")
            assert wrong.status_code == 400 and b"did you mean level?" in wrong.content

    with override_settings(ALLOWED_HOSTS=["testserver"]):
        asyncio.run(work())
