"""The verbs of the API over one pool of keep-alive connections."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlencode, urlsplit

import orjson

from client.errors import ApiStatusError, status_from_text
from client.kubeconfig import Config, load
from kube.objects import Json
from web.client import HttpSession
from web.http1 import Response

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
MAX_ANSWER, MAX_ERROR = 256 << 20, 1 << 20  # bytes
APPLY_PATCH = "application/apply-patch+yaml"

Params = Mapping[str, str | int]


class Observer(Protocol):
    """Is told of every request, by its method and the server's `host:port`; must not block."""

    def answered(self, method: str, host: str, code: str) -> None:
        """The status has come, or `<error>`: nothing."""

    def took(self, method: str, host: str, seconds: float) -> None:
        """The request is over; not told of watches."""


class Client:
    """Requests to one API server.  Use as `async with Client.from_file(path) as client`, or call `close()`.

    Every call raises `ApiStatusError` when the server refuses, OSError (such as TimeoutError) when it cannot be reached.
    Nothing is retried here: the callers know what may be repeated.  `observer` counts requests.
    """

    failures: tuple[type[Exception], ...] = (OSError,)

    def __init__(
        self,
        config: Config,
        *,
        timeout: float = 30.0,
        connections: int = 64,
        user_agent: str = "binnacle",
        observer: Observer | None = None,
    ) -> None:
        self.config = config
        self._observer, self._host = observer, urlsplit(config.server).netloc
        self._timeout = timeout
        self._connections = connections
        self._agent = user_agent
        self._session: HttpSession | None = None

    @classmethod
    def from_file(cls, path: str | None = None, context: str | None = None, **options: Any) -> Self:
        return cls(load(path, context), **options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def headers(self) -> dict[str, str]:
        """Who we are, for a request."""
        token = self.config.bearer()
        return {"User-Agent": self._agent, **({"Authorization": f"Bearer {token}"} if token else {})}

    def _open(self) -> HttpSession:
        if self._session is None:
            self._session = HttpSession(
                self.config.server,
                self.headers,
                self.config.ssl_context(),
                connections=self._connections,
                timeout=self._timeout,
                server_name=self.config.server_name,
                limit=MAX_ANSWER,
            )
        return self._session

    def _observe(self, method: str, response: Response | None) -> None:
        if self._observer is not None:
            self._observer.answered(method, self._host, str(response.status) if response else "<error>")

    async def raw(
        self,
        method: str,
        path: str,
        params: Params | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> bytes:
        """The body of the answer, undecoded."""
        headers = {"Content-Type": content_type} if body is not None else None
        started = time.monotonic()
        response: Response | None = None
        try:
            try:
                response = await self._open().request(method, _target(path, params), body, headers)
            finally:
                self._observe(method, response)
        finally:
            if self._observer is not None:
                self._observer.took(method, self._host, time.monotonic() - started)
        if response.status >= 400:
            raise _error(response, method, path)
        return response.body

    async def get(self, path: str, params: Params | None = None) -> Json:
        found: Json = orjson.loads(await self.raw("GET", path, params))
        return found

    async def list(
        self,
        path: str,
        params: Params | None = None,
        page: int = 500,
        transform: Callable[[Json], Json] | None = None,
    ) -> Json:
        """The whole list, fetched in pages of `page` objects; metadata is that of the last page.

        Items get the list's apiVersion and kind, which the API leaves out of them. `transform` is applied page by page,
        so that what it leaves out is never in memory as a whole.
        """
        query: dict[str, str | int] = {**(params or {}), "limit": page}
        items: list[Json] = []
        while True:
            answer = await self.get(path, query)
            found = _typed(answer.get("items") or [], answer)
            items += map(transform, found) if transform else found
            token = (answer.get("metadata") or {}).get("continue")
            if not token:
                return {**answer, "items": items}
            query["continue"] = token

    async def create(self, path: str, obj: Json, params: Params | None = None) -> Json:
        created: Json = orjson.loads(await self.raw("POST", path, params, orjson.dumps(obj)))
        return created

    async def update(self, path: str, obj: Json, params: Params | None = None) -> Json:
        updated: Json = orjson.loads(await self.raw("PUT", path, params, orjson.dumps(obj)))
        return updated

    async def patch(self, path: str, patch: Any, content_type: str = MERGE_PATCH, params: Params | None = None) -> Json:
        patched: Json = orjson.loads(await self.raw("PATCH", path, params, orjson.dumps(patch), content_type))
        return patched

    async def delete(self, path: str, options: Json | None = None, params: Params | None = None) -> Json:
        """`options` is a DeleteOptions body: gracePeriodSeconds, preconditions, propagationPolicy."""
        body = orjson.dumps({"kind": "DeleteOptions", "apiVersion": "v1", **options}) if options else None
        answer: Json = orjson.loads(await self.raw("DELETE", path, params, body))
        return answer

    async def stream(self, path: str, params: Params, timeout: float) -> AsyncIterator[Json]:
        """The JSON documents of a watch, one a line, until the server ends it or `timeout` seconds are over."""
        response: Response | None = None
        opened = self._open().open("GET", _target(path, params), timeout)
        try:
            response, pieces = await opened.__aenter__()
        finally:
            self._observe("GET", response)
        async with AsyncExitStack() as stack:
            stack.push_async_exit(opened)
            if response.status >= 400:
                response.body = b"".join([piece async for piece in pieces])[:MAX_ERROR]
                raise _error(response, "GET", path)
            pending = b""
            async for piece in pieces:
                *lines, pending = (pending + piece).split(b"\n") if pending else piece.split(b"\n")
                for line in lines:
                    if line:
                        yield orjson.loads(line)


def _target(path: str, params: Params | None) -> str:
    return f"{path}{'&' if '?' in path else '?'}{urlencode(params)}" if params else path


def _typed(items: list[Json], answer: Json) -> list[Json]:
    kind = str(answer.get("kind") or "").removesuffix("List")
    for item in items:
        item.setdefault("apiVersion", answer.get("apiVersion"))
        item.setdefault("kind", kind)
    return items


def _error(response: Response, method: str, path: str) -> ApiStatusError:
    body = response.body
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        status = status_from_text(response.status, body.decode("utf-8", "replace"), method, path)
    retry = response.headers.get("retry-after", "")
    return ApiStatusError(status, float(retry) if retry.isdecimal() else None)
