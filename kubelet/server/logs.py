"""/containerLogs: a container's log, with the options of `kubectl logs`."""

from __future__ import annotations

import time

from aiohttp import web

from kube import clock
from kube.pods import podutil
from kubelet.logs.reader import Options, stream
from kubelet.server.containers import agent, container, flag, start

LAST = 253_402_300_799.0  # the end of the year 9999: there are no later times in logs


async def handle(request: web.Request) -> web.StreamResponse:
    found, wanted = container(request)
    asked = options(request)
    name, previous = wanted["name"], flag(request, "previous")
    run = start(request, found, name, previous)
    if run is None:
        raise web.HTTPBadRequest(text=_missing(found, name, previous) + "\n")
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    if request.method == "HEAD":
        return response

    def running() -> bool:
        state = agent(request).runtime.state(podutil.uid(found))
        return state is not None and any(c.id == run.id and c.running for c in state.containers)

    try:
        async for chunk in stream(run.log, asked, running):
            await response.write(chunk)
        await response.write_eof()
    except ConnectionError:
        pass  # the reader went away, as followers do
    return response


def _missing(found: dict[str, object], name: str, previous: bool) -> str:
    pod = podutil.full_name(found).partition("/")[2]
    if previous:
        return f'previous terminated container "{name}" in pod "{pod}" not found'
    status = podutil.reported(found, name) or {}
    waiting = (status.get("state") or {}).get("waiting") or {}
    reason = waiting.get("reason", "ContainerCreating")
    if reason in ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"):
        return f'container "{name}" in pod "{pod}" is waiting to start: trying and failing to pull image'
    return f'container "{name}" in pod "{pod}" is waiting to start: {reason}'


def options(request: web.Request) -> Options:
    """Raises 400 for numbers and times that are none."""
    since = None
    try:
        if "sinceTime" in request.query:
            since = clock.parse(request.query["sinceTime"])
        elif "sinceSeconds" in request.query:
            since = time.time() - int(request.query["sinceSeconds"])
        counts: dict[str, int] = {}
        for key in ("tailLines", "limitBytes"):
            text = request.query.get(key)
            if text is None or (key == "tailLines" and text == "-1"):
                continue
            if not text.isdecimal():
                raise ValueError(f"{key} has to be a number, 0 or more, not {text!r}")
            counts[key] = int(text)
    except (ValueError, OverflowError) as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from error
    return Options(
        follow=flag(request, "follow"),
        timestamps=flag(request, "timestamps"),
        tail=counts.get("tailLines"),
        since=None if since is None else min(max(since, 0.0), LAST),
        limit_bytes=counts.get("limitBytes"),
        stream=request.query.get("stream", "").lower().replace("all", ""),
    )
