"""The embedded store's service as a `logs.record.Store`; the protocol is in `logs.record`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import orjson

from logs.connection import Server
from logs.record import OK, Document, Result, Unavailable


class Ingest:
    """POST /ingest of NDJSON."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def write(self, batch: Sequence[Document]) -> list[Result]:
        body = b"".join(document.line + b"\n" for document in batch)
        try:
            answer = await self._server.request("POST", "/ingest", body, {"Content-Type": "application/x-ndjson"})
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise Unavailable(f"no answer from the log store: {error!r}") from error
        if answer.status != 200:
            after = answer.headers.get("retry-after", "")
            raise Unavailable(f"the log store answered {answer.status}: {answer.body[:300].decode('utf-8', 'replace')}",
                              float(after) if after.isdigit() else None, too_large=answer.status in (400, 413))
        results = [OK] * len(batch)
        for entry in orjson.loads(answer.body)["results"]:
            results[entry["line"]] = Result(entry["status"], entry.get("reason") or "")
        return results

    async def close(self) -> None:
        self._server.close()
