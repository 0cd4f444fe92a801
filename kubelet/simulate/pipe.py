"""HTTP requests by the thousand: a few keep-alive connections, each with one request at a time, answers not decoded.

A general client spends more on a request than the API server does; a fleet of simulated nodes sends nothing but small
patches, and looks only at the status of the answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from client import Backoff, Config
from web.address import Place
from web.client import FAILURES, Connection

log = logging.getLogger("kubelet.simulate")
RETRY_CODES = frozenset({408, 429, 500, 502, 503, 504})
MAX_TRIES = 8


@dataclass(slots=True)
class Request:
    method: str
    path: str
    body: bytes
    content_type: str
    done: Callable[[int], None] | None = None
    tries: int = 0


class Pipe:
    """`send()` queues; `run()` keeps `width` connections busy.  Requests that cannot succeed are logged and dropped.

    A request is tried again (up to 8 times) after a lost connection and after answers that ask for it, so it has to
    be one that may be repeated.
    """

    def __init__(self, config: Config, width: int = 32) -> None:
        self._config, self._width = config, width
        parts = urlsplit(config.server)
        self._host, self._port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = config.ssl_context()
        self._queue: deque[Request] = deque()
        self._arrived = asyncio.Event()
        self._head = f"Host: {parts.netloc}\r\nUser-Agent: kubelet-simulate\r\nAccept: application/json\r\n"

    def __len__(self) -> int:
        return len(self._queue)

    def send(self, request: Request) -> None:
        self._queue.append(request)
        self._arrived.set()

    async def run(self) -> None:
        await asyncio.gather(*(self._serve() for _ in range(self._width)))

    async def _serve(self) -> None:
        backoff = Backoff(first=0.05, longest=5.0)
        connection: Connection | None = None
        while True:
            while not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
            request = self._queue.popleft()
            try:
                if connection is None or connection.closed:
                    place = Place(self._host, self._port, self._tls, self._config.server_name)
                    connection = await Connection.open(place)
                async with asyncio.timeout(60):
                    code = (await connection.ask(self._encode(request), request.method)).status
            except FAILURES as error:
                if connection is not None:
                    connection.close()
                connection, code = None, 503
                log.debug("%s %s: %s", request.method, request.path, error)
            if code not in RETRY_CODES:
                backoff.reset()
                self._finish(request, code)
                continue
            request.tries += 1
            if request.tries < MAX_TRIES:
                self._queue.append(request)
            else:
                self._finish(request, code)
            await asyncio.sleep(backoff.delay())

    def _finish(self, request: Request, code: int) -> None:
        if code >= 400 and code not in (404, 409):
            log.warning("%s %s was answered %d", request.method, request.path, code)
        if request.done is not None:
            request.done(code)

    def _encode(self, request: Request) -> bytes:
        token = self._config.bearer()
        authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        head = (
            f"{request.method} {request.path} HTTP/1.1\r\n{self._head}{authorization}"
            f"Content-Type: {request.content_type}\r\nContent-Length: {len(request.body)}\r\n\r\n"
        )
        return head.encode() + request.body
