"""Lifecycle handlers: postStart and preStop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kube.objects import Json
from kubelet.commands import run
from kubelet.probes.actions import http_get
from kubelet.runtimes.base import Runtime, StartError

if TYPE_CHECKING:
    from kube.shapes import ContainerLike


class HookError(Exception):
    """A handler failed; the message is what the event tells."""


async def call(
    runtime: Runtime, uid: str, address: str, container: ContainerLike, handler: Json, timeout: float | None
) -> None:
    """Runs one handler; raises HookError, TimeoutError when it takes longer than `timeout` seconds."""
    async with asyncio.timeout(timeout):
        if "exec" in handler:
            command = handler["exec"].get("command") or []
            try:
                code, output = await run(runtime, uid, container["name"], command, None)
            except StartError as error:
                raise HookError(str(error)) from error
            if code:
                text = output.decode("utf-8", "replace").strip()
                raise HookError(f"command '{' '.join(command)}' exited with {code}: {text}")
        elif "httpGet" in handler:
            ok, text = await http_get(container, handler["httpGet"], address, 30.0)
            if not ok:
                raise HookError(text)
        elif "sleep" in handler:
            await asyncio.sleep(float(handler["sleep"].get("seconds") or 0))
