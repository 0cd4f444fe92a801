"""The API server as `client.Reflector` needs it, without aiohttp (see `logs.connection`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlencode

import orjson

from client.errors import ApiStatusError, status_from_text
from client.kubeconfig import Config
from client.reflector import Params
from kube.objects import Json
from logs.connection import Answer, Server


class Api:
    """List and watch with the identity of a `client.Config`."""

    failures: tuple[type[Exception], ...] = (OSError, TimeoutError, asyncio.IncompleteReadError)

    def __init__(self, config: Config) -> None:
        self._config = config
        self._server = Server(
            config.server,
            self.headers,
            config.ssl_context(),
            connections=2,
            timeout=30.0,
            server_name=config.server_name,
        )

    def headers(self) -> dict[str, str]:
        """Who we are, for a request."""
        token = self._config.bearer()
        return {"User-Agent": "binnacle-log-shipper", **({"Authorization": "Bearer " + token} if token else {})}

    async def get(self, path: str) -> Json:
        """One object."""
        answer = await self._server.request("GET", path)
        if answer.status >= 400:
            raise refused(answer, path)
        found: Json = orjson.loads(answer.body)
        return found

    async def list(
        self, path: str, params: Params | None = None, page: int = 500, transform: Callable[[Json], Json] | None = None
    ) -> Json:
        """As `client.Client.list`: all pages, each object through `transform`."""
        query: dict[str, str | int] = {**(params or {}), "limit": page}
        items: list[Json] = []
        while True:
            found = await self.get(f"{path}?{urlencode(query)}")
            items += map(transform, found.get("items") or []) if transform else found.get("items") or []
            token = (found.get("metadata") or {}).get("continue")
            if not token:
                return {**found, "items": items}
            query["continue"] = token

    async def stream(self, path: str, params: Params, timeout: float) -> AsyncIterator[Json]:
        """As `client.Client.stream`: the events of a watch."""
        async with self._server.open(f"{path}?{urlencode(params)}", timeout) as (answer, pieces):
            if answer.status >= 400:
                answer.body = b"".join([piece async for piece in pieces])
                raise refused(answer, path)
            pending = b""
            async for piece in pieces:
                *lines, pending = (pending + piece).split(b"\n")
                for line in lines:
                    if line:
                        yield orjson.loads(line)

    def close(self) -> None:
        self._server.close()


def refused(answer: Answer, path: str) -> ApiStatusError:
    """The error that an answer is."""
    try:
        status = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        status = status_from_text(answer.status, answer.body.decode("utf-8", "replace"), "GET", path)
    after = answer.headers.get("retry-after", "")
    return ApiStatusError(status, float(after) if after.isdigit() else None)
