"""Answers in protobuf, for clients that accept nothing else; whoever also accepts JSON gets JSON."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson

from apiserver import negotiation, response
from apiserver.request import Request
from apiserver.response import Answer, Response, Stream
from kube import protobuf
from kube.errors import ApiError, NotAcceptable

_STREAM = f"{negotiation.PROTOBUF};stream=watch"
_LARGE = 64 * 1024  # bytes of JSON; beyond, encoding is left to a thread


async def answered(request: Request, handle: Callable[[Request], Awaitable[Answer]]) -> Answer:
    """The answer of a handler, its objects and errors in protobuf. Raises NotAcceptable for kinds that have no such form."""
    # Before anything is written: an object that could not be answered must not be made.
    info = request.info
    kind = request.state.registry.lookup(info.group, info.version, info.resource)
    if kind is not None and not protobuf.knows(kind.api_version, kind.kind):
        raise NotAcceptable(f"{kind.kind} of {kind.api_version} has no protobuf form: accept {negotiation.JSON} too")
    try:
        answer = await handle(request)
    except ApiError as error:
        answer = response.of_error(error)
    if isinstance(answer, Stream) and answer.content_type == negotiation.JSON:
        answer.chunks, answer.content_type = _frames(answer.chunks), _STREAM
    elif isinstance(answer, Response) and answer.content_type == negotiation.JSON:
        obj = orjson.loads(answer.body)
        if protobuf.knows(obj.get("apiVersion", ""), obj.get("kind", "")):
            encode = protobuf.encode
            answer.body = encode(obj) if len(answer.body) < _LARGE else await asyncio.to_thread(encode, obj)
            answer.content_type = negotiation.PROTOBUF
    return answer


async def _frames(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A watch's lines as frames: four bytes of length, then a WatchEvent with the object in its envelope."""
    rest = b""
    try:
        async for chunk in chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            if lines:
                yield b"".join(_frame(orjson.loads(line)) for line in lines if line)
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()


def _frame(event: dict[str, Any]) -> bytes:
    message = protobuf.watch_event(event["type"], event["object"])
    return len(message).to_bytes(4, "big") + message
