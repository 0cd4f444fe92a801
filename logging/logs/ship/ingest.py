"""The embedded store's service as a `logs.record.Store`; the protocol is in `logs.record`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import orjson

from client.errors import ApiStatusError
from logs.record import OK, Document, Result, Unavailable
from web.client import HttpSession


class Ingest:
    """POST /ingest of NDJSON to the server that `find` tells of; asked again when that does not answer."""

    def __init__(self, find: Callable[[], Awaitable[HttpSession]]) -> None:
        self._find = find
        self._server: HttpSession | None = None

    async def write(self, batch: Sequence[Document]) -> list[Result]:
        body = b"".join(document.line + b"\n" for document in batch)
        try:
            if self._server is None:
                self._server = await self._find()
            answer = await self._server.request("POST", "/ingest", body, {"Content-Type": "application/x-ndjson"})
        except (OSError, ApiStatusError, LookupError) as error:
            await self.close()
            raise Unavailable(f"no answer from the log store: {error!r}") from error
        if answer.status != 200:
            after = answer.headers.get("retry-after", "")
            raise Unavailable(
                f"the log store answered {answer.status}: {answer.body[:300].decode('utf-8', 'replace')}",
                float(after) if after.isdecimal() else None,
                too_large=answer.status in (400, 413),
            )
        results = [OK] * len(batch)
        for entry in orjson.loads(answer.body)["results"]:
            results[entry["line"]] = Result(entry["status"], entry.get("reason") or "")
        return results

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
