"""The sockets: the live feed of a page, and a pod's log. Both check where they come from and who it is before they accept."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

import orjson
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings

from dashboard import login, origin, podlogs
from dashboard.access import Access
from dashboard.live import Live
from dashboard.metrics import BYTES, FRAMES, SOCKETS
from dashboard.monitor import monitor_of
from dashboard.source import sources
from kube.users import User

log = logging.getLogger(__name__)

FOREIGN, NO_LOGIN, NO_CLUSTER, TOO_MANY, CHANGED = 4403, 4401, 4404, 4429, 1012
CHECK_SESSION = 4.0  # seconds between looks who the session is, and what that user may
MAX_SOCKETS = 64  # of one session
PROTOCOL = "binnacle"  # the page offers it together with its ticket: a query would end up in access logs
_open: dict[str, int] = {}


class Consumer(AsyncJsonWebsocketConsumer):
    """What both sockets share: origin, login, bounds, and an end when the session ends."""

    kind = ""

    async def connect(self) -> None:
        jar: SimpleCookie = SimpleCookie()
        with contextlib.suppress(CookieError):
            jar.load("; ".join(v.decode("latin-1") for n, v in self.scope["headers"] if n == b"cookie"))
        cookie = jar.get(settings.SESSION_COOKIE_NAME)
        self.session_key, self.tasks = cookie.value if cookie else "", set[asyncio.Task[None]]()
        self.query = {k: v[0] for k, v in parse_qs(self.scope["query_string"].decode("latin-1")).items()}
        self.counted = False
        refusal = await self._refusal()
        if refusal:
            # Accepted only to say why: a refused handshake would tell a script nothing but that it failed.
            await self.accept(self._protocol())
            await self.close(refusal)
            return
        _open[self.session_key] = _open.get(self.session_key, 0) + 1
        self.counted = True
        SOCKETS.add(self.kind)
        await self.accept(self._protocol())
        self.spawn(self._watch_session())
        await self.ready()

    async def dispatch(self, message: dict[str, Any]) -> None:
        try:
            await super().dispatch(message)
        except OSError as error:  # the browser left, or sent what no browser does
            log.debug("a socket ended: %s", error)

    async def _refusal(self) -> int:
        headers = {name: value.decode("latin-1") for name, value in self.scope["headers"]}
        hosts = [headers.get(b"host", ""), headers.get(b"x-forwarded-host", "")]
        if not origin.origin_fits(headers.get(b"origin"), hosts):
            return FOREIGN
        user = await self._user()
        tickets = [one for one in self.scope.get("subprotocols", ()) if one.startswith("ticket.")]
        ticket = tickets[0].removeprefix("ticket.") if tickets else ""
        if user is None or not origin.ticket_fits(self.session_key, ticket):
            return NO_LOGIN
        if _open.get(self.session_key, 0) >= MAX_SOCKETS:
            return TOO_MANY
        try:
            source = await sources.get(self.scope["url_route"]["kwargs"]["cluster"])
        except KeyError:
            return NO_CLUSTER
        self.access = Access(source, user)
        return 0

    def _protocol(self) -> str | None:
        return PROTOCOL if PROTOCOL in self.scope.get("subprotocols", ()) else None

    async def _user(self) -> User | None:
        return await database_sync_to_async(login.user_of_key)(self.session_key) if self.session_key else None

    async def _watch_session(self) -> None:
        """End the socket, whatever it sends, when it is somebody else's or of other rights: the page opens a new one."""
        before, granted = self.access.user, self.access.granted()
        while True:
            await asyncio.sleep(CHECK_SESSION)
            user = await self._user()
            if user is None:
                await self.close(NO_LOGIN)
                return
            if (user, user.uid, user.groups) != (before, before.uid, before.groups) or self.access.granted() != granted:
                await self.close(CHANGED)
                return

    def spawn(self, work: Any) -> None:
        """Run a coroutine beside the socket, ended with it."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def ready(self) -> None:
        """The socket is accepted: begin."""

    async def send_frame(self, frame: bytes) -> None:
        """Raises OSError when the browser has left, or this side has closed."""
        FRAMES.add()
        BYTES.add(by=len(frame))
        try:
            await self.send(text_data=frame.decode())
        except RuntimeError as error:  # the server's word for a socket that was closed meanwhile
            raise ConnectionAbortedError(str(error)) from error

    async def close(self, code: int | bool | None = None, reason: str | None = None) -> None:
        """Close it, where that is not done already."""
        with contextlib.suppress(OSError, RuntimeError):
            await super().close(code, reason)

    async def fail(self) -> None:
        """Something here is broken: close, so that the browser connects again."""
        await self.close(1011)

    async def disconnect(self, code: int) -> None:
        for task in list(self.tasks):
            task.cancel()
        if self.counted:
            SOCKETS.add(self.kind, by=-1)
            left = _open.get(self.session_key, 1) - 1
            if left > 0:
                _open[self.session_key] = left
            else:
                _open.pop(self.session_key, None)

    @classmethod
    async def decode_json(cls, text_data: str) -> Any:
        return orjson.loads(text_data)


class LiveConsumer(Consumer):
    """`c/<cluster>/live`: see `dashboard.live`."""

    kind = "live"
    live: Live | None = None

    async def ready(self) -> None:
        monitor = monitor_of(self.access.source)
        monitor.join()
        await self.send_frame(
            orjson.dumps(
                {
                    "t": "hello",
                    "cluster": self.access.source.name,
                    "clusters": await sources.names(),
                    "user": self.access.user.name,
                    "now": time.time(),
                    "health": monitor.health(),
                }
            )
        )
        self.live = Live(self.access, monitor, self.send_frame, self.fail)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        try:
            message = orjson.loads(text_data or b"") if len(text_data or "") < 20_000 else None
        except orjson.JSONDecodeError:
            message = None
        if not isinstance(message, dict):
            await self.close(1003)
        elif self.live is not None:
            await self.live.ask(message)

    async def disconnect(self, code: int) -> None:
        if self.live is not None:
            self.live.monitor.leave()
            await self.live.close()
            self.live = None
        await super().disconnect(code)


class LogConsumer(Consumer):
    """`c/<cluster>/log?ns=&pod=&container=&follow=&previous=&tail=&since=`: see `dashboard.podlogs`."""

    kind = "log"

    async def ready(self) -> None:
        self.spawn(self._stream())

    async def _stream(self) -> None:
        try:
            async for frame in podlogs.frames(self.access, self.query):
                await self.send_frame(frame)
            await self.close(1000)
        except OSError as error:  # the browser went away
            log.debug("a log stream ended: %s", error)
        except Exception:
            log.exception("a log stream failed")
            await self.fail()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        """A log socket has nothing to be told."""
