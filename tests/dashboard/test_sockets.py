"""Who may open a socket, and when it ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cluster.store import Store
from dashboard.origin import origin_fits
from kube.users import AUTHENTICATED, MASTERS, User
from tests.dashboard.drive import HOST, refused, session, socket_to

ADMIN = User("root", groups=(MASTERS, AUTHENTICATED))
FOREIGN, NO_LOGIN, NO_CLUSTER = 4403, 4401, 4404
Peopled = tuple[Store, dict[str, Any]]


@pytest.mark.parametrize("path", ["/c/local/live", "/c/local/log"])
def test_refusals_before_anything_is_sent(peopled: Peopled, path: str) -> None:
    key = session(ADMIN)
    assert refused(path, key, origin=None) == FOREIGN
    assert refused(path, key, origin="https://evil.example") == FOREIGN
    assert refused(path, key, origin="null") == FOREIGN
    assert refused(path, "") == NO_LOGIN
    assert refused(path, "0" * 32) == NO_LOGIN
    assert refused(path, key, ticket="") == NO_LOGIN
    assert refused(path, key, ticket="0" * 64) == NO_LOGIN
    assert refused(path.replace("local", "other"), key) == NO_CLUSTER


def test_origins() -> None:
    assert origin_fits(f"http://{HOST}", [HOST])
    assert origin_fits("https://ops.example", ["10.0.0.1", "ops.example"])
    assert origin_fits("http://localhost:8001", ["10.244.0.2:8080"])  # kubectl proxy; the ticket decides
    for foreign in ("http://127.0.0.1.evil.example", "http://evil.example:8080", "file://", "", None):
        assert not origin_fits(foreign, [HOST])


def test_a_socket_ends_with_its_session(peopled: Peopled, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboard import consumers, login

    monkeypatch.setattr(consumers, "CHECK_SESSION", 0.05)
    key = session(ADMIN)

    async def run() -> int:
        socket = socket_to("/c/local/live", key)
        await socket.connect()
        monkeypatch.setattr(login, "user_of_key", lambda _: None)
        while (told := await socket.output())["type"] != "websocket.close":
            pass
        return int(told["code"])

    assert asyncio.run(run()) == NO_LOGIN


def test_a_log_needs_the_right_to_pods_log(peopled: Peopled) -> None:
    key = session(User("looker", groups=(AUTHENTICATED,)))

    async def run() -> str:
        socket = socket_to("/c/local/log?ns=guestbook&pod=web", key)
        await socket.connect()
        return str(await socket.text())

    assert "may not read the log" in asyncio.run(run())


def test_the_log_of_a_pod_that_has_no_node_says_so(peopled: Peopled) -> None:
    key = session(ADMIN)
    waiting = peopled[1]["waiting"]["metadata"]

    async def run() -> str:
        socket = socket_to(f"/c/local/log?ns={waiting['namespace']}&pod={waiting['name']}&follow=1", key)
        await socket.connect()
        return str(await socket.text())

    assert "has no node yet" in asyncio.run(run())
