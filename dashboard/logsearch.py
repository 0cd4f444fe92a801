"""Questions to the addon `logging` on behalf of one user: what the user may see goes with each of them.

The log store answers the dashboard's account anything; so the dashboard works out the user's scope from the authoriser that
all its pages ask, for each question anew, and the store limits lines, counts, top values, tail and download to it alike.

| lines of | who sees them |
| --- | --- |
| containers | who may get `pods/log` in the namespace |
| events | who may list `events` in the namespace |
| nodes and the control plane | who may get `nodes/proxy` |
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson

from cluster.store import Key
from dashboard import api
from dashboard.access import Access
from dashboard.source import PerSource, Source
from kube.objects import Json

NAMESPACE, NAME, SWITCH = "kube-system", "log-store", "addon-logging"
PATIENCE = 10.0  # seconds for an answer
SILENCE = 5.0  # seconds without a beat until a tail counts as broken
# What a page may ask; the rest of a question is the server's own.
FIELDS = ("query", "from", "to", "limit", "order", "after", "buckets", "field", "line", "namespaces", "format")
ASKS = ("search", "histogram", "top", "around")


class Silent(Exception):
    """There is no answer now. `why` is one of off, away, refused; the text is for the page."""

    def __init__(self, why: str, text: str) -> None:
        super().__init__(text)
        self.why = why


class BadQuestion(ValueError):
    """The store cannot answer this; `body` is its own answer, with the column of what is wrong in the query."""

    def __init__(self, body: Json) -> None:
        super().__init__(str(body.get("error")))
        self.body = body


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


class Connection:
    """To the log store of one cluster; remembers when it last answered."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.answered: float | None = None  # monotonic
        self._server: Any = None
        self._url = ""

    def place(self) -> str:
        """The store's address. Raises Silent."""
        cache = self.source.cache
        if not self.source.local:
            raise Silent("off", "The logs of an attached cluster cannot be searched from here.")
        switch = cache.get(Key("configmaps", NAMESPACE, SWITCH))
        service = cache.get(Key("services", NAMESPACE, NAME))
        if service is None or (switch is not None and (switch.object().get("data") or {}).get("enabled") == "false"):
            raise Silent("off", "Logging is switched off: no lines are collected. The addon admin switches it on.")
        spec = service.object()["spec"]
        return f"http://{spec['clusterIP']}:{spec['ports'][0]['port']}"

    def _session(self) -> Any:
        from web.client import HttpSession

        url = self.place()
        if url != self._url:
            self._server, self._url = (
                HttpSession(url, lambda: api.endpoint().headers(), connections=16, timeout=PATIENCE, again=True),
                url,
            )
        return self._server

    async def ask(self, what: str, body: bytes) -> bytes:
        """The store's answer as it comes, JSON. Raises Silent, BadQuestion."""
        server = self._session()
        try:
            answer = await server.request("POST", f"/{what}", body)
        except OSError as error:
            raise Silent("away", self.silence(type(error).__name__)) from error
        self.answered = time.monotonic()
        if answer.status != 200:
            raise self._refused(answer.status, answer.body)
        return bytes(answer.body)

    @asynccontextmanager
    async def stream(self, what: str, body: bytes) -> AsyncIterator[AsyncIterator[bytes]]:
        """An answer that comes in pieces. Raises Silent, BadQuestion."""
        server = self._session()
        try:
            async with server.open("POST", f"/{what}", None, body) as (answer, pieces):
                if answer.status != 200:
                    raise self._refused(answer.status, b"".join([piece async for piece in pieces]))
                yield pieces
                self.answered = time.monotonic()
        except OSError as error:
            raise Silent("away", self.silence(type(error).__name__)) from error

    def _refused(self, status: int, body: bytes) -> Exception:
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError:
            found = {}
        words = str(found.get("error") or f"it answers {status}")[:1000]
        if status == 400:
            return BadQuestion(found)
        return Silent("refused" if status in (401, 403) else "away", f"The log store gives no answer: {words}")

    def silence(self, error: str) -> str:
        """Words for no answer."""
        if self.answered is None:
            return f"No answer from the log store ({error})."
        return f"No answer from the log store for {time.monotonic() - self.answered:.0f} s ({error})."


connection_of = PerSource(Connection)
"""The connection to the log store of a cluster."""
