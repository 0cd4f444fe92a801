"""GET of one object."""

from __future__ import annotations

from apiserver import converting, render
from apiserver.request import Request
from apiserver.response import Answer
from cluster import crypto
from cluster.cache import Cache, Entry
from cluster.store import Key
from kube.errors import ApiError, NotFound, Timeout
from kube.registry import Kind


async def handle(request: Request, kind: Kind) -> Answer:
    """Answer with the newest state; with `resourceVersion=0`, or one that is reached, with what the cache has."""
    view = request.view
    found, include = find(request, kind), request.query("includeObject")
    return await converting.apart(kind, lambda: render.entry(kind, view, found, include))


def find(request: Request, kind: Kind) -> Entry:
    """The object that a request is about. Raises NotFound, and InternalError for one that cannot be decrypted."""
    info, cache = request.info, request.state.cache
    key = Key(kind.storage, info.namespace if kind.namespaced else "", info.name)
    wanted = parse_revision(request.query("resourceVersion"), code=400)
    reach(cache, wanted)
    entry = cache.get(key)
    if entry is None and wanted >= 0:
        cache.refresh()
        entry = cache.get(key)
    if entry is None:
        raise NotFound(kind.plural, info.name, kind.group)
    crypto.check(entry.body)
    return entry


def reach(cache: Cache, revision: int) -> None:
    """Bring the cache up to a revision, -1 for the newest. Raises Timeout for one that this cluster has never had."""
    if revision == -1 or revision > cache.revision:
        cache.refresh()
    if revision > cache.revision:
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        raise Timeout(
            f"Too large resource version: {revision}, current: {cache.revision}",
            details={"causes": [cause], "retryAfterSeconds": 1},
        )


def parse_revision(text: str, code: int = 400, prefix: str = "") -> int:
    """A resourceVersion option as a number, -1 for none. Raises ApiError on anything else."""
    if not text:
        return -1
    number = text.isascii() and text.isdigit()
    if number and len(text.lstrip("0")) <= 20 and int(text) < 2**64:
        return int(text)
    wrong = "value out of range" if number else "invalid syntax"
    raise ApiError(
        f'{prefix}resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": {wrong}',
        code=code,
        reason="BadRequest" if code == 400 else "",
    )
