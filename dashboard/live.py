"""One browser's conversation: its feeds, and the single task that sends.

The page asks `{"op": "sub", "id", "feed", …}`, `{"op": "unsub", "id"}`, `{"op": "history", "id", "key"}`,
`{"op": "find", "id", "text"}`, `{"op": "figures", "id", …}` or `{"op": "usage", "id", …}`; nothing else is understood,
and none of them changes anything. Answers are frames with a `t`: rows, delta, doc, answer, error, and beat once a second
with the health of what lies behind.

Only one task sends, one frame after the other, each awaited: a slow browser makes its changes collapse, never pile up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson

from cluster.cache import Event
from dashboard import figures, find, objects, usage
from dashboard.access import Access
from dashboard.feeds import FEEDS, key_of
from dashboard.monitor import Monitor
from kube.errors import ApiError
from kube.objects import Json

log = logging.getLogger(__name__)
Send = Callable[[bytes], Awaitable[None]]
MAX_FEEDS = 16
MAX_WAITING = 8  # questions to other programs
BEAT = 1.0


class Live:
    """See the module's docstring. `send` awaits until the frame is handed to the transport; `fail` closes the socket."""

    def __init__(self, access: Access, monitor: Monitor, send: Send, fail: Callable[[], Awaitable[None]]) -> None:
        self.access, self.monitor, self.send, self.fail = access, monitor, send, fail
        self.feeds: dict[int, Any] = {}
        self.dirty: dict[int, float] = {}  # feed -> earliest time it may be sent, monotonic
        self.sent: dict[int, float] = {}
        self.wake = asyncio.Event()
        self.answers: asyncio.Queue[bytes] = asyncio.Queue(maxsize=32)
        self.waiting: set[asyncio.Task[None]] = set()
        self.seen = access.source.cache.revision
        self._end = access.source.listen(self._offer)
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        self._end()
        for task in (self._task, *self.waiting):
            task.cancel()
        for number in list(self.feeds):
            self._drop(number)

    # -- what the page asks --------------------------------------------------------------------------------------------

    async def ask(self, message: Json) -> None:
        """Carry out one request; a bad one is answered by an error frame that says what is wrong with it."""
        number = message.get("id")
        if not isinstance(number, int) or not 0 <= number < 2**31:
            await self._answer({"t": "error", "id": 0, "code": 400, "message": "a request needs an integer id"})
        elif message.get("op") not in ("figures", "usage"):
            await self._carry_out(number, message)
        elif len(self.waiting) < MAX_WAITING:
            # Another program is asked: what else the page wants does not wait for that.
            task = asyncio.create_task(self._carry_out(number, message))
            self.waiting.add(task)
            task.add_done_callback(self.waiting.discard)
        else:
            words = f"at most {MAX_WAITING} questions at once"
            await self._answer({"t": "error", "id": number, "code": 400, "message": words})

    async def _carry_out(self, number: int, message: Json) -> None:
        try:
            match message.get("op"):
                case "sub":
                    self._drop(number)
                    if len(self.feeds) >= MAX_FEEDS:
                        raise ValueError(f"at most {MAX_FEEDS} feeds at once")
                    feed = FEEDS.get(str(message.get("feed")))
                    if feed is None:
                        raise ValueError(f"unknown feed {str(message.get('feed'))[:40]!r}")
                    self.feeds[number] = feed(self.access, number, message)
                    self._mark(number)
                    return
                case "unsub":
                    self._drop(number)
                    return
                case "history":
                    key = key_of(message.get("key"))
                    if not self.access.can_get(key):
                        raise PermissionError(f"you may not get {key.storage} {key.name}")
                    found: Any = await asyncio.to_thread(objects.history, self.access, key)
                case "find":
                    found = find.find(self.access, str(message.get("text") or ""))
                case "figures":
                    found = await figures.figures(self.access, message)
                case "usage":
                    found = await usage.usage(self.access, message)
                case op:
                    raise ValueError(f"unknown request {str(op)[:40]!r}")
            await self._answer({"t": "answer", "id": number, "found": found})
        except PermissionError as error:
            await self._answer({"t": "error", "id": number, "code": 403, "message": str(error)})
        except LookupError as error:
            await self._answer({"t": "error", "id": number, "code": 404, "message": str(error.args[0])})
        except ValueError as error:
            await self._answer({"t": "error", "id": number, "code": 400, "message": str(error)})
        except ApiError as error:  # a label selector that cannot be read
            await self._answer({"t": "error", "id": number, "code": error.code, "message": error.message})

    async def _answer(self, frame: Json) -> None:
        await self.answers.put(orjson.dumps(frame, option=orjson.OPT_NON_STR_KEYS))
        self.wake.set()

    def _drop(self, number: int) -> None:
        feed = self.feeds.pop(number, None)
        self.dirty.pop(number, None)
        self.sent.pop(number, None)
        if feed is not None:
            feed.close()

    # -- sending -------------------------------------------------------------------------------------------------------

    def _offer(self, events: Sequence[Event]) -> None:
        self.seen = events[-1].revision
        for number, feed in self.feeds.items():
            if feed.offer(events):
                self._mark(number)

    def _mark(self, number: int) -> None:
        if number not in self.dirty:
            # At once when it was quiet; else as soon as the feed's interval allows.
            self.dirty[number] = self.sent.get(number, 0.0) + self.feeds[number].interval
            self.wake.set()

    async def _run(self) -> None:
        beat = 0.0
        try:
            while True:
                while not self.answers.empty():
                    await self.send(self.answers.get_nowait())
                now = time.monotonic()
                for number in [n for n, due in self.dirty.items() if due <= now]:
                    await self._send_feed(number)
                now = time.monotonic()
                if now >= beat:
                    # Everything up to `rev` has been sent when nothing waits: the page may resume from there.
                    rev, health = 0 if self.dirty else self.seen, self.monitor.health()
                    await self.send(orjson.dumps({"t": "beat", "now": time.time(), "rev": rev, "health": health}))
                    beat = now + BEAT
                self.wake.clear()
                if self.answers.empty():
                    with contextlib.suppress(TimeoutError):
                        until = min([beat, *self.dirty.values()])
                        await asyncio.wait_for(self.wake.wait(), max(0.0, until - time.monotonic()))
        except OSError as error:  # the browser went away while a frame was on its way
            log.debug("a live connection ended: %s", error)
        except Exception:
            log.exception("a live connection failed; the browser will connect again")
            await self.fail()

    async def _send_feed(self, number: int) -> None:
        del self.dirty[number]
        feed = self.feeds.get(number)
        if feed is None:
            return
        async for frame in feed.frames():
            if self.feeds.get(number) is not feed:
                return
            await self.send(frame)
        self.sent[number] = time.monotonic()
