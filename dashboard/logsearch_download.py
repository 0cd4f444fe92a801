"""Lines as a file: text or JSON lines, streamed from the log store as they come, bounded, and the last line says when cut."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard import login
from dashboard.access import Access
from dashboard.logsearch import question
from dashboard.services import BadQuestion, Silent, log_store_of
from dashboard.source import sources

MOST = 100_000  # lines
FORMS = {"text": ("text/plain; charset=utf-8", "log"), "json": ("application/x-ndjson", "jsonl")}


@never_cache
@require_safe
async def download(request: HttpRequest, cluster: str) -> HttpResponseBase:
    """`?q=&from=&to=&ns=&format=text|json`"""
    user = await sync_to_async(login.user_of)(request.session)
    if user is None:
        return _words("Please log in.", 401)
    form = request.GET.get("format", "text")
    if form not in FORMS:
        return _words("format: text or json", 400)
    try:
        access = Access(await sources.get(cluster), user)
    except KeyError:
        return _words("There is no cluster of this name.", 404)
    asked: dict[str, Any] = {
        "query": request.GET.get("q", ""),
        "from": request.GET.get("from", "now-15m"),
        "to": request.GET.get("to", "now"),
        "limit": MOST,
        "format": form,
        "namespaces": [name for name in request.GET.get("ns", "").split(",") if name],
    }
    pieces = _pieces(access, asked)
    try:
        first = await anext(pieces, b"")
    except BadQuestion as error:
        return _words(str(error), 400)
    except Silent as silence:
        return _words(str(silence), 503)
    if request.method == "HEAD":
        await pieces.aclose()
        first = b""
    kind, ending = FORMS[form]
    response = StreamingHttpResponse(_after(first, pieces), content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="logs.{ending}"'
    return response


async def _pieces(access: Access, asked: dict[str, Any]) -> AsyncGenerator[bytes, None]:
    async with log_store_of(access.source).stream("download", question(access, asked)) as pieces:
        async for piece in pieces:
            yield piece


async def _after(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    try:
        async for piece in pieces:
            yield piece
    except Silent as silence:
        # The answer has begun: the file itself says that it is not whole.
        yield f"[cut: {silence}]\n".encode()


def _words(text: str, status: int) -> HttpResponse:
    return HttpResponse(f"{text}\n", status=status, content_type="text/plain; charset=utf-8")
