"""A stand-in for the API server: ready, with what pods use, and with one log that goes on, hostile and with a huge line."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import cycle
from typing import Any

import orjson

from tests.dashboard import fakemetrics

TOLD = 120
readings = cycle(range(40))


def _line(text: str) -> bytes:
    return f"{datetime.now(UTC).isoformat(timespec='microseconds').replace('+00:00', 'Z')} {text}\n".encode()


def _past() -> bytes:
    words = [
        f"INFO GET /ready 200 {i} ms" if i % 17 else f"ERROR cannot reach the database, attempt {i}"
        for i in range(TOLD)
    ]
    return b"".join(_line(text) for text in [*words, "<img src=x onerror=alert(1)> <b>bold</b>", "x" * 40_000])


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while (event := await receive())["type"] != "lifespan.shutdown":
            await send({"type": event["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["path"].endswith("/log"):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        since = b"sinceTime" in scope["query_string"]
        await send({"type": "http.response.body", "body": b"" if since else _past(), "more_body": True})
        number = 0
        while b"follow=true" in scope["query_string"]:
            await asyncio.sleep(0.15)
            number += 1
            await send({"type": "http.response.body", "body": _line(f"WARN live line {number}"), "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    elif scope["path"].startswith(fakemetrics.PREFIX):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send(
            {"type": "http.response.body", "body": orjson.dumps(fakemetrics.answer(scope["path"], next(readings)))}
        )
    else:
        await send({"type": "http.response.start", "status": 200 if scope["path"] == "/readyz" else 404, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
