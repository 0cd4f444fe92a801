"""Removing what pods left behind: runs of pods that the API no longer knows, their directories and logs."""

from __future__ import annotations

import asyncio
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubelet.agent import Agent

log = logging.getLogger("kubelet.cleanup")
PERIOD = 60.0


async def remove_orphans(agent: Agent) -> None:
    """At the start (pods deleted while the kubelet was away) and then once a minute."""
    while True:
        try:
            await _pods(agent)
            await asyncio.to_thread(_logs, agent.options.logs, _known(agent))
        except OSError as error:
            log.warning("cleaning up: %s", error)
        await asyncio.sleep(PERIOD)


def _known(agent: Agent) -> set[str]:
    return set(agent.workers) | {pod["metadata"]["uid"] for pod in agent.pods.items.values()}


async def _pods(agent: Agent) -> None:
    for uid in agent.runtime.pods():
        if uid not in _known(agent):
            log.info("pod %s is unknown to the API: it is ended and removed", uid)
            await agent.runtime.stop_sandbox(uid)
            await agent.runtime.remove_pod(uid)


def _logs(folder: Path, known: set[str]) -> None:
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        if entry.name.rpartition("_")[2] not in known:
            shutil.rmtree(entry, ignore_errors=True)
