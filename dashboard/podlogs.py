"""A pod's log for the browser: lines in batches, huge ones cut, read through the API after the user's right is checked."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping

import orjson

from cluster.store import Key
from dashboard import api
from dashboard.access import Access

MAX_LINE = 16_384  # bytes of a line that are sent; the rest is counted
MAX_BATCH = 500  # lines in a frame
MAX_TAIL = 20_000
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


class Splitter:
    """Cuts a stream of bytes into `[time, text, bytes left out]`; holds back at most MAX_LINE bytes."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipped = 0

    def feed(self, chunk: bytes) -> list[list[object]]:
        """The lines that are complete with `chunk`."""
        *whole, rest = (self._rest + chunk).split(b"\n")
        lines = []
        for number, line in enumerate(whole):
            skipped = self._skipped if number == 0 else 0
            lines.append(self._line(line, skipped))
        if whole:
            self._skipped = 0
        self._skipped += max(0, len(rest) - MAX_LINE)
        self._rest = rest[:MAX_LINE]
        return lines

    def end(self) -> list[list[object]]:
        """What remains at the end of the stream."""
        rest, self._rest = self._rest, b""
        return [self._line(rest, self._skipped)] if rest else []

    def _line(self, raw: bytes, skipped: int) -> list[object]:
        skipped += max(0, len(raw) - MAX_LINE)
        text = raw[:MAX_LINE].decode(errors="replace").rstrip("\r")
        time, space, rest = text.partition(" ")
        return [time, rest, skipped] if space and _TIME.fullmatch(time) else ["", text, skipped]


def params_of(query: Mapping[str, str]) -> tuple[str, str, dict[str, str]]:
    """(namespace, pod, parameters of `pods/log`) from the socket's query; raises ValueError that names the field."""
    for field in ("ns", "pod"):
        if not _NAME.fullmatch(query.get(field, "")):
            raise ValueError(f"{field}: not a name")
    params = {"timestamps": "true"}
    if container := query.get("container", ""):
        if not _NAME.fullmatch(container):
            raise ValueError("container: not a name")
        params["container"] = container
    for field, name in (("follow", "follow"), ("previous", "previous")):
        if query.get(field) == "1":
            params[name] = "true"
    tail = query.get("tail", "1000")
    if not (len(tail) < 10 and tail.isdecimal()) or int(tail) > MAX_TAIL:
        raise ValueError(f"tail: a number up to {MAX_TAIL}")
    params["tailLines"] = tail
    if since := query.get("since", ""):
        if not _TIME.fullmatch(since):
            raise ValueError("since: not an RFC 3339 time in UTC")
        params["sinceTime"] = since
    return query["ns"], query["pod"], params


async def frames(access: Access, query: Mapping[str, str]) -> AsyncIterator[bytes]:
    """Frames `{"t": "lines", "lines": [[time, text, bytes left out]…]}`, then `end`; or `error` with the reason."""
    try:
        namespace, pod, params = params_of(query)
        if not access.can_read_log(namespace, pod):
            raise PermissionError(f"you may not read the log of {namespace}/{pod}")
        if not access.source.local:
            raise ValueError("the logs of an attached cluster cannot be read from here")
        entry = access.source.cache.get(Key("pods", namespace, pod))
        if entry is not None and not entry.node:
            raise ValueError("the pod has no node yet: nothing has run that could have said something")
        async with api.open_log(namespace, pod, params) as chunks:
            yield b'{"t":"open"}'
            splitter = Splitter()
            async for chunk in chunks:
                for frame in _batches(splitter.feed(chunk)):
                    yield frame
            for frame in _batches(splitter.end()):
                yield frame
        yield b'{"t":"end"}'
    except (ValueError, PermissionError, api.LogError) as error:
        yield orjson.dumps({"t": "error", "message": str(error)})


def _batches(lines: list[list[object]]) -> list[bytes]:
    return [orjson.dumps({"t": "lines", "lines": lines[i : i + MAX_BATCH]}) for i in range(0, len(lines), MAX_BATCH)]
