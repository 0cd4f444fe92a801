"""The verbs of the API over one pool of keep-alive connections."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import aiohttp
import orjson

from client.errors import ApiStatusError, status_from_text
from client.kubeconfig import Config, load
from kube.objects import Json

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
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

    Every call raises `ApiStatusError` when the server refuses, `aiohttp.ClientError` or `TimeoutError` when it
    cannot be reached.  Nothing is retried here: the callers know what may be repeated.  `observer` counts requests.
    """

    failures: tuple[type[Exception], ...] = (aiohttp.ClientError, TimeoutError, OSError)

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
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._connections = connections
        self._agent = user_agent
        self._session: aiohttp.ClientSession | None = None

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
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            context = self.config.ssl_context()
            connector = aiohttp.TCPConnector(limit=self._connections, ssl=True if context is None else context)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=self._timeout, headers={"User-Agent": self._agent}, trust_env=False
            )
        return self._session

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        params: Params | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: aiohttp.ClientTimeout | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response, its body unread; an error status raises before the block is entered."""
        all_headers = dict(headers or ())
        token = self.config.bearer()
        if token:
            all_headers["Authorization"] = "Bearer " + token
        code = "<error>"
        try:
            response = await self._open().request(
                method,
                self.config.server + path,
                params=params,
                data=body,
                headers=all_headers,
                timeout=timeout or self._timeout,
                server_hostname=self.config.server_name,
            )
            code = str(response.status)
        finally:
            if self._observer is not None:
                self._observer.answered(method, self._host, code)
        async with response:
            if response.status >= 400:
                raise await _error(response, method, path)
            yield response

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
        try:
            async with self.open(method, path, params, body, headers) as response:
                return await response.read()
        finally:
            if self._observer is not None:
                self._observer.took(method, self._host, time.monotonic() - started)

    async def get(self, path: str, params: Params | None = None) -> Json:
        return orjson.loads(await self.raw("GET", path, params))

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
        return orjson.loads(await self.raw("POST", path, params, orjson.dumps(obj)))

    async def update(self, path: str, obj: Json, params: Params | None = None) -> Json:
        return orjson.loads(await self.raw("PUT", path, params, orjson.dumps(obj)))

    async def patch(self, path: str, patch: Any, content_type: str = MERGE_PATCH, params: Params | None = None) -> Json:
        return orjson.loads(await self.raw("PATCH", path, params, orjson.dumps(patch), content_type))

    async def delete(self, path: str, options: Json | None = None, params: Params | None = None) -> Json:
        """`options` is a DeleteOptions body: gracePeriodSeconds, preconditions, propagationPolicy."""
        body = orjson.dumps({"kind": "DeleteOptions", "apiVersion": "v1", **options}) if options else None
        return orjson.loads(await self.raw("DELETE", path, params, body))

    async def stream(self, path: str, params: Params, timeout: float) -> AsyncIterator[Json]:
        """The JSON documents of a watch, one a line, until the server ends it or `timeout` seconds are over."""
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=10)
        async with self.open("GET", path, params, timeout=limits) as response:
            pending = b""
            async for chunk in response.content.iter_any():
                *lines, pending = (pending + chunk).split(b"\n") if pending else chunk.split(b"\n")
                for line in lines:
                    if line:
                        yield orjson.loads(line)


def _typed(items: list[Json], answer: Json) -> list[Json]:
    kind = str(answer.get("kind") or "").removesuffix("List")
    for item in items:
        item.setdefault("apiVersion", answer.get("apiVersion"))
        item.setdefault("kind", kind)
    return items


async def _error(response: aiohttp.ClientResponse, method: str, path: str) -> ApiStatusError:
    body = await response.read()
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        status = status_from_text(response.status, body.decode("utf-8", "replace"), method, path)
    retry = response.headers.get("Retry-After", "")
    return ApiStatusError(status, float(retry) if retry.isdigit() else None)
