"""The socket of the page 'Logs': questions to the addon `logging`, each with what its user may see.

One socket for all questions of a page, so that a slow search holds up nothing else. The page sends `{"op": "search" |
"histogram" | "top" | "around" | "tail", "id", …}` or `{"op": "stop", "id"}`. It is told `{"t": "answer", "id", "found"}`,
`{"t": "tail", "id", "lines" | "beat"}`, or `{"t": "error", "id", "message"}` with `why` (off, away, refused) or, when the
query is wrong, `column` and `length`. There is nothing that changes anything.

The log store answers the dashboard's account anything; so the dashboard works out the user's scope from the authoriser that
all its pages ask, once for each question, and the store limits lines, counts, top values, tail and download to it.

| lines of | who sees them |
| --- | --- |
| containers | who may get `pods/log` in the namespace |
| events | who may list `events` in the namespace |
| nodes and the control plane | who may get `nodes/proxy` |
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson

from dashboard.access import Access
from dashboard.consumers import Consumer
from dashboard.services import BadQuestion, Silent, log_store_of
from kube.objects import Json

log = logging.getLogger(__name__)

# What a page may ask; the rest of a question is the server's own.
FIELDS = ("query", "from", "to", "limit", "order", "after", "buckets", "field", "line", "namespaces", "format")
ASKS = ("search", "histogram", "top", "around")
MAX_ASKS = 16  # at once
MAX_MESSAGE = 20_000  # characters
SILENCE = 5.0  # seconds without a beat until a tail counts as broken
RETRY = 2.0


def scope_of(access: Access) -> Json:
    """As `logs.search.scope` reads it."""
    return {
        "logs": _names(access.where("get", "pods", "log")),
        "events": _names(access.where("list", "events")),
        "nodes": access.allows("get", "nodes", subresource="proxy"),
    }


def _names(scope: frozenset[str] | None) -> list[str] | None:
    return None if scope is None else sorted(scope)


def question(access: Access, asked: Mapping[str, Any]) -> bytes:
    """The body of a question: what the page may say, and what the user may see."""
    return orjson.dumps({**{name: asked[name] for name in FIELDS if name in asked}, "scope": scope_of(access)})


class LogSearchConsumer(Consumer):
    """`c/<cluster>/logsearch`"""

    kind = "logsearch"

    async def ready(self) -> None:
        self.asks: dict[int, asyncio.Task[None]] = {}
        self.writing = asyncio.Lock()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        if not self.counted:
            return  # refused: it is being closed
        try:
            message = orjson.loads(text_data or b"") if len(text_data or "") < MAX_MESSAGE else None
        except orjson.JSONDecodeError:
            message = None
        number = message.get("id") if isinstance(message, dict) else None
        if not isinstance(message, dict) or not isinstance(number, int) or not 0 <= number < 2**31:
            await self._tell(b'{"t":"error","id":0,"message":"a request is a JSON object with an integer id"}')
            return
        old = self.asks.pop(number, None)
        if old is not None:
            old.cancel()
        if message.get("op") == "stop":
            return
        if len(self.asks) >= MAX_ASKS:
            words = f"at most {MAX_ASKS} questions at once"
            await self._tell(orjson.dumps({"t": "error", "id": number, "message": words}))
            return

        def over(task: asyncio.Task[None]) -> None:
            self.tasks.discard(task)
            if self.asks.get(number) is task:
                del self.asks[number]

        task = self.asks[number] = asyncio.create_task(self._answer(number, message))
        self.tasks.add(task)
        task.add_done_callback(over)

    async def _answer(self, number: int, message: Json) -> None:
        try:
            frame = await self._found(number, message)
            if frame is not None:
                await self._tell(frame)
        except OSError as error:  # the browser went away
            log.debug("an answer was not sent: %s", error)
        except Exception:
            log.exception("a question to the log store failed")
            await self.fail()

    async def _found(self, number: int, message: Json) -> bytes | None:
        """The frame that answers a question; None after a tail, which has sent its own."""
        what = str(message.get("op"))
        try:
            if what == "tail":
                await self._follow(number, message)
                return None
            if what not in ASKS:
                raise BadQuestion({"error": f"unknown request {what[:40]!r}"})
            found = await log_store_of(self.access.source).ask(what, question(self.access, message))
            return b'{"t":"answer","id":%d,"found":%s}' % (number, found)
        except BadQuestion as error:
            place = {name: error.body.get(name) for name in ("column", "length")}
            return orjson.dumps({"t": "error", "id": number, "message": str(error), **place})
        except Silent as silence:
            return orjson.dumps({"t": "error", "id": number, "message": str(silence), "why": silence.why})

    async def _tell(self, frame: bytes) -> None:
        async with self.writing:
            await self.send_frame(frame)

    # -- following -----------------------------------------------------------------------------------------------------

    async def _follow(self, number: int, message: Json) -> None:
        """Lines as they come, for as long as the socket lives: a store that is gone is asked again, and the page told."""
        while True:
            try:
                async with log_store_of(self.access.source).stream("tail", question(self.access, message)) as pieces:
                    await self._pass_on(number, pieces)
            except Silent as silence:
                await self._tell(orjson.dumps({"t": "tail", "id": number, "message": str(silence), "why": silence.why}))
                await asyncio.sleep(RETRY)

    async def _pass_on(self, number: int, pieces: AsyncIterator[bytes]) -> None:
        """Until the stream ends."""
        rest, iterator = b"", aiter(pieces)
        while True:
            try:
                async with asyncio.timeout(SILENCE):
                    piece = await anext(iterator)
            except StopAsyncIteration:
                return
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                if line:
                    await self._tell(b'{"t":"tail","id":%d,%s' % (number, line[1:]))
