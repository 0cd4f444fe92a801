"""A browser's side of the sockets, in a test's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

HOST = "127.0.0.1:8080"


def session(user: Any, token: str = "") -> str:
    """A logged-in session, by a token or without; returns its key."""
    from django.contrib.sessions.backends.db import SessionStore

    from dashboard import login

    made = SessionStore()
    made.create()
    login.open_session(made, user, token)
    made.save()
    return str(made.session_key)


class Socket:
    """A WebSocket as the ASGI server would drive it (channels' own needs daphne)."""

    def __init__(self, application: Any, scope: dict[str, Any]) -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.task = asyncio.create_task(application(scope, self.received.get, self.sent.put))

    async def connect(self) -> str | None:
        """Open it; returns the subprotocol that was chosen."""
        self.received.put_nowait({"type": "websocket.connect"})
        answer = await self.output()
        assert answer["type"] == "websocket.accept", answer
        return answer.get("subprotocol")

    async def output(self, timeout: float = 60) -> dict[str, Any]:
        return await asyncio.wait_for(self.sent.get(), timeout)

    async def text(self, timeout: float = 60) -> str:
        told = await self.output(timeout)
        assert told["type"] == "websocket.send", told
        return str(told["text"])

    def send(self, text: str) -> None:
        self.received.put_nowait({"type": "websocket.receive", "text": text})

    async def disconnect(self) -> None:
        self.received.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait([self.task], timeout=60)


class Page:
    """One socket: `ask`, then `wait_for` a frame."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket

    async def ask(self, **message: Any) -> None:
        self.socket.send(orjson.dumps(message).decode())

    async def frame(self, timeout: float = 60) -> dict[str, Any]:
        return dict(orjson.loads(await self.socket.text(timeout)))

    async def wait_for(self, kind: str, number: int | None = None, timeout: float = 60) -> dict[str, Any]:
        """The next frame of a kind (and feed); others, such as beats, are passed over."""
        async with asyncio.timeout(timeout):
            while True:
                found = await self.frame(timeout)
                if found["t"] == kind and number in (None, found.get("id")):
                    return found


def socket_to(
    path: str, key: str = "", origin: str | None = f"http://{HOST}", ticket: str | None = None, **headers: str
) -> Socket:
    """A socket for `path` as a browser would open it."""
    from channels.routing import URLRouter
    from django.conf import settings

    from dashboard.origin import ticket as ticket_of
    from dashboard.urls import websocket_urlpatterns

    shown = ticket_of(key) if ticket is None else ticket
    sent = {"host": HOST, "cookie": f"{settings.SESSION_COOKIE_NAME}={key}", **headers}
    if origin is not None:
        sent["origin"] = origin
    place, _, query = path.partition("?")
    return Socket(
        URLRouter(websocket_urlpatterns),
        {
            "type": "websocket",
            "path": place,
            "query_string": query.encode(),
            "subprotocols": ["binnacle", f"ticket.{shown}"],
            "headers": [(k.encode(), v.encode()) for k, v in sent.items()],
        },
    )


def live(user: Any, story: Callable[[Page], Awaitable[None]], path: str = "/c/local/live", **options: Any) -> None:
    """Run `story` with a live page of `user`."""
    key = session(user)

    async def run() -> None:
        socket = socket_to(path, key, **options)
        assert await socket.connect() == "binnacle"
        try:
            await story(Page(socket))
        finally:
            await socket.disconnect()
            from dashboard.source import sources

            sources.close()

    asyncio.run(run())


def refused(path: str, key: str, **options: Any) -> int:
    """The code with which a socket is closed at once."""

    async def run() -> int:
        socket = socket_to(path, key, **options)
        await socket.connect()
        told = await socket.output()
        assert told["type"] == "websocket.close"
        return int(told["code"])

    return asyncio.run(run())
