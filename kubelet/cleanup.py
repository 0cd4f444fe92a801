"""Removing what pods left behind: runs of pods that the API no longer knows, their directories and logs."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from kubelet.logs.dead import DeadLogs

if TYPE_CHECKING:
    from kubelet.agent import Agent

log = logging.getLogger("kubelet.cleanup")
PERIOD = 60.0


async def remove_orphans(agent: Agent) -> None:
    """At the start (pods deleted while the kubelet was away) and then once a minute."""
    dead = DeadLogs(agent.options.logs)
    while True:
        try:
            for uid in agent.runtime.pods():
                if uid not in _known(agent):
                    log.info("pod %s is unknown to the API: it is ended and removed", uid)
                    await agent.runtime.stop_sandbox(uid)
                    await agent.runtime.remove_pod(uid)
            names = await asyncio.to_thread(dead.names)
            await asyncio.to_thread(dead.sweep, names, _known(agent), time.monotonic(), agent.node.disk_pressure)
        except OSError as error:
            log.warning("cleaning up: %s", error)
        await asyncio.sleep(PERIOD)


def _known(agent: Agent) -> set[str]:
    return set(agent.workers) | {pod["metadata"]["uid"] for pod in agent.pods.items.values()}
