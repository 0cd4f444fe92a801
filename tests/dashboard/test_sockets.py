"""Who may open a socket, and when it ends."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from cluster.store import Store
from config.dashboard import NoTextIsNoFault
from dashboard import api, consumers
from dashboard.origin import origin_fits
from kube.objects import Json
from kube.users import AUTHENTICATED, MASTERS, User, service_account
from tests.dashboard import world
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


# -- an identity that changes under an open page ------------------------------------------------------------------------

READ_LOGS = {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list", "watch"]}
SOCKETS = ["/c/local/live", "/c/local/logsearch", "/c/local/log?ns=guestbook&pod=web&follow=1"]


def bind(store: Store, name: str) -> list[Json]:
    """READ_LOGS in the whole cluster, for a user."""
    group = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": world.meta("logs"), "rules": [READ_LOGS]}
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": world.meta("logs"),
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "logs"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": name}],
    }
    world.create(store, role, binding)
    return [role, binding]


def closed_after(path: str, key: str, change: Callable[[], object]) -> int:
    """The code with which an open socket is closed after a change, whatever it sends meanwhile."""

    async def run() -> int:
        socket = socket_to(path, key)
        await socket.connect()
        await asyncio.to_thread(change)
        while (told := await socket.output())["type"] != "websocket.close":
            pass
        return int(told["code"])

    return asyncio.run(run())


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks come at once; and the log of a pod never ends by itself."""

    @asynccontextmanager
    async def open_log(*_: object) -> AsyncIterator[AsyncIterator[bytes]]:
        async def lines() -> AsyncIterator[bytes]:
            while True:
                yield b"2026-01-01T00:00:00Z again\n"
                await asyncio.sleep(0.01)

        yield lines()

    monkeypatch.setattr(consumers, "CHECK_SESSION", 0.05)
    monkeypatch.setattr(api, "open_log", open_log)


@pytest.mark.parametrize("path", SOCKETS)
def test_a_right_that_is_taken_ends_what_it_opened(peopled: Peopled, soon: None, path: str) -> None:
    store, _ = peopled
    _, binding = bind(store, "looker")
    key = session(User("looker", groups=(AUTHENTICATED,)))
    assert closed_after(path, key, lambda: world.delete(store, binding)) == consumers.CHANGED


@pytest.mark.parametrize("path", SOCKETS)
def test_a_service_account_that_is_deleted_is_logged_out(peopled: Peopled, soon: None, path: str) -> None:
    store, _ = peopled
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": world.meta("robot", "guestbook")}
    world.create(store, account)
    bind(store, "system:serviceaccount:guestbook:robot")
    user = service_account("guestbook", "robot", account["metadata"]["uid"])
    key = session(user)
    assert closed_after(path, key, lambda: world.delete(store, account)) == NO_LOGIN
    world.create(store, {**account, "metadata": world.meta("robot", "guestbook", age=1)})
    assert refused(path, key) == NO_LOGIN, "another one of that name is another"


def test_an_account_that_is_no_longer_staff_sees_what_others_see(peopled: Peopled, soon: None) -> None:
    from django.contrib.auth import get_user_model

    from dashboard import login

    account = get_user_model().objects.create_user("boss", is_staff=True)
    user = login.of_account(account)
    key = session(user)
    assert user.is_master

    def demote() -> None:
        account.is_staff = False
        account.save()

    assert closed_after("/c/local/live", key, demote) == consumers.CHANGED
    now = login.user_of_key(key)
    assert now is not None and not now.is_master and now.groups == (AUTHENTICATED,)


def token(**claims: Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.signature"


def test_a_session_lasts_no_longer_than_its_token(peopled: Peopled) -> None:
    user = User("looker", groups=(AUTHENTICATED,))
    assert refused("/c/local/live", session(user, token(exp=time.time() - 1))) == NO_LOGIN
    key = session(user, token(exp=time.time() + 3600))

    async def run() -> str:
        socket = socket_to("/c/local/live", key)
        await socket.connect()
        return str(json.loads(await socket.text())["t"])

    assert asyncio.run(run()) == "hello"


@pytest.mark.parametrize("claim", ["pod", "secret", "node"])
def test_a_session_lasts_no_longer_than_what_its_token_was_made_for(peopled: Peopled, soon: None, claim: str) -> None:
    store, _ = peopled
    namespace = "" if claim == "node" else "guestbook"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": world.meta("bound", "guestbook")}
    bound = {"apiVersion": "v1", "kind": claim.capitalize(), "metadata": world.meta("bound", namespace), "spec": {}}
    for obj in (account, bound):
        world.create(store, obj)
    bind(store, "system:serviceaccount:guestbook:bound")
    private = {"namespace": "guestbook", claim: {"name": "bound", "uid": bound["metadata"]["uid"]}}
    user = service_account("guestbook", "bound", account["metadata"]["uid"])
    key = session(user, token(**{"kubernetes.io": private}))
    assert closed_after("/c/local/live", key, lambda: world.delete(store, bound)) == NO_LOGIN


@pytest.mark.parametrize("private", ["text", [1], {"pod": "text"}, {"pod": {"name": "x", "uid": "y"}}], ids=str)
def test_claims_of_other_issuers_are_bound_to_nothing_here(peopled: Peopled, private: Any) -> None:
    from dashboard import login

    key = session(User("oidc:ada", groups=(AUTHENTICATED,)), token(exp=time.time() + 60, **{"kubernetes.io": private}))
    assert login.user_of_key(key) == "oidc:ada"


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "a.ICA.c", "e30.W10.x", "a.\u00e9.c"])
def test_what_is_no_token_claims_nothing(text: str) -> None:
    from dashboard import login

    assert login._claims(text) == {}


def test_where_there_is_no_socket_the_handshake_is_refused(peopled: Peopled) -> None:
    async def run() -> None:
        socket = socket_to("/c/local/\x85\r", "none")
        with pytest.raises(AssertionError, match=r"websocket\.close"):
            await socket.connect()
        await socket.task

    asyncio.run(run())


@pytest.mark.parametrize("name", ["live", "logsearch", "log"])
def test_a_socket_that_is_closed_meanwhile_is_no_fault_of_ours(
    peopled: Peopled, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The server sends nothing after it has closed for a frame that breaks the protocol: that is the socket's end."""
    key = session(ADMIN)
    closed = "Unexpected ASGI message 'websocket.send', after sending 'websocket.close'."

    async def send(self: Any, *arguments: Any, **options: Any) -> None:
        raise RuntimeError(closed)

    async def run() -> None:
        socket = socket_to(f"/c/local/{name}?ns=work&pod=absent", key)
        await socket.connect()
        monkeypatch.setattr(AsyncJsonWebsocketConsumer, "send", send)
        for message in ({"op": "nothing", "id": 1}, {"op": "search", "id": "x"}, {"op": "search", "id": 2}):
            socket.send(json.dumps(message))
        await socket.disconnect()

    asyncio.run(run())
    assert closed not in caplog.text and "Traceback" not in caplog.text


def test_frames_that_are_no_text_fill_no_log(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("uvicorn.error")
    log.addFilter(wanted := NoTextIsNoFault())
    try:
        b"\xdc".decode()
    except UnicodeDecodeError:
        log.exception("Invalid UTF-8 sequence received from client.")
    log.removeFilter(wanted)
    assert "Invalid UTF-8" in caplog.text and "Traceback" not in caplog.text
