"""The addons that the dashboard asks on behalf of its users, monitoring and the log store: where they are, and a question to
each. Nothing here decides who may ask what.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import orjson

from cluster.store import Key
from dashboard import api
from dashboard.source import PerSource, Source
from kube.objects import Json
from web.address import Place
from web.client import HttpSession, Pool

NAMESPACE = "kube-system"


class Silent(Exception):
    """There is no answer now. `why` is one of off, away, refused; the text is for the page."""

    def __init__(self, why: str, text: str) -> None:
        super().__init__(text)
        self.why = why


class BadQuestion(ValueError):
    """The log store cannot answer this; `body` is its own answer, with the column of what is wrong in the query."""

    def __init__(self, body: Json) -> None:
        super().__init__(str(body.get("error")))
        self.body = body


class Service:
    """The Service `name` of one cluster; remembers when it last answered."""

    name: str
    switch: str  # the ConfigMap that switches the addon off
    called: str
    off: str
    attached: str

    def __init__(self, source: Source) -> None:
        self.source = source
        self.answered: float | None = None  # monotonic

    def place(self) -> tuple[str, int]:
        """Address and port. Raises Silent."""
        cache = self.source.cache
        if not self.source.local:
            raise Silent("off", self.attached)
        switch = cache.get(Key("configmaps", NAMESPACE, self.switch))
        service = cache.get(Key("services", NAMESPACE, self.name))
        if service is None or (switch is not None and (switch.object().get("data") or {}).get("enabled") == "false"):
            raise Silent("off", self.off)
        spec = service.object()["spec"]
        return spec["clusterIP"], spec["ports"][0]["port"]

    def away(self, error: Exception) -> Silent:
        """What to raise where no answer comes."""
        since = "" if self.answered is None else f" for {time.monotonic() - self.answered:.0f} s"
        return Silent("away", f"No answer from {self.called}{since} ({type(error).__name__}).")


class Monitoring(Service):
    """The addon `monitoring`."""

    name, switch, called = "monitoring", "addon-monitoring", "monitoring"
    off = "Monitoring is switched off: no figures are taken."
    attached = "The figures of an attached cluster cannot be read from here."
    patience = 8.0  # seconds for an answer

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        # No connection is kept: who asks from a thread has a loop for each question.
        self._pool = Pool(16 << 20, kept=0)

    async def ask(self, query: dict[str, str]) -> Json:
        """The answer to a range query. Raises Silent, and ValueError when the query cannot be answered."""
        where = Place(*self.place())
        try:
            async with asyncio.timeout(self.patience):
                path = f"/api/v1/range?{urlencode(query)}"
                response = await self._pool.get(where, path, api.endpoint().headers())
            found: Json = orjson.loads(response.body)
        except (OSError, ValueError) as error:
            raise self.away(error) from error
        status = response.status
        if status == 200:
            self.answered = time.monotonic()
            return found
        words = str((found.get("error") or {}).get("message") or f"it answers {status}")
        if status == 400:
            raise ValueError(words)
        raise Silent("refused" if status in (401, 403) else "away", f"Monitoring gives no figures: {words}")


class LogStore(Service):
    """The log store of the addon `logging`."""

    name, switch, called = "log-store", "addon-logging", "the log store"
    off = "Logging is switched off: no lines are collected. The addon admin switches it on."
    attached = "The logs of an attached cluster cannot be searched from here."
    patience = 10.0  # seconds for an answer

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._kept: tuple[str, HttpSession] | None = None

    def _session(self) -> HttpSession:
        url = "http://{}:{}".format(*self.place())
        if self._kept is None or self._kept[0] != url:
            # Read for each request: the token's file changes.
            session = HttpSession(
                url, lambda: api.endpoint().headers(), connections=16, timeout=self.patience, again=True
            )
            self._kept = url, session
        return self._kept[1]

    async def ask(self, what: str, body: bytes) -> bytes:
        """The store's answer as it comes, JSON. Raises Silent, BadQuestion."""
        server = self._session()
        try:
            answer = await server.request("POST", f"/{what}", body)
        except OSError as error:
            raise self.away(error) from error
        self.answered = time.monotonic()
        if answer.status != 200:
            raise _refused(answer.status, answer.body)
        return bytes(answer.body)

    @asynccontextmanager
    async def stream(self, what: str, body: bytes) -> AsyncIterator[AsyncIterator[bytes]]:
        """An answer that comes in pieces. Raises Silent, BadQuestion."""
        server = self._session()
        try:
            async with server.open("POST", f"/{what}", None, body) as (answer, pieces):
                if answer.status != 200:
                    raise _refused(answer.status, b"".join([piece async for piece in pieces]))
                yield pieces
                self.answered = time.monotonic()
        except OSError as error:
            raise self.away(error) from error


def _refused(status: int, body: bytes) -> Exception:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = {}
    if status == 400:
        return BadQuestion(found)
    words = str(found.get("error") or f"it answers {status}")[:1000]
    return Silent("refused" if status in (401, 403) else "away", f"The log store gives no answer: {words}")


monitoring_of, log_store_of = PerSource(Monitoring), PerSource(LogStore)
"""Those of a cluster."""
