"""/metrics: the kubelet's own."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from aiohttp import web

from kube.pods import podutil
from kubelet import metrics
from kubelet.node import VERSION
from kubelet.server.containers import agent
from telemetry.exposition import render
from web.http1 import METRICS as CONTENT_TYPE

if TYPE_CHECKING:
    from kubelet.agent import Agent


async def handle(request: web.Request) -> web.Response:
    found = agent(request)
    # What is known only now.
    phases = Counter(podutil.phase(pod) for pod in found.pods.items.values())
    states = [found.runtime.state(uid) for uid in found.workers]
    running = sum(c.running for state in states if state and state.ready for c in state.containers)
    metrics.NAME.set(1, found.options.node_name)
    metrics.BUILD.set(1, VERSION)
    metrics.CONTAINERS.set(running, "running")
    metrics.PODS.set(sum(bool(state and state.ready) for state in states))
    metrics.PHASES.replace({(phase,): count for phase, count in phases.items()})
    await asyncio.to_thread(_look_at_volumes, dict(_claims(found)))
    return web.Response(body=render(metrics.METRICS), headers={"Content-Type": CONTENT_TYPE})


def _claims(found: Agent) -> Iterator[tuple[tuple[str, str], str]]:
    """Where the claims of running pods are mounted, by (namespace, name)."""
    for worker in list(found.workers.values()):
        for volume in worker.pod["spec"].get("volumes") or ():
            meta, claim = worker.pod["metadata"], (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if volume.get("ephemeral"):
                claim = f"{meta['name']}-{volume['name']}"
            ready = (worker.volumes or {}).get(volume["name"])
            if claim and ready is not None:
                yield (meta["namespace"], claim), ready.path


def _look_at_volumes(claims: dict[tuple[str, str], str]) -> None:
    """Set the figures of their file systems. Blocking: a disk may be slow to answer."""
    made: dict[str, dict[tuple[str, ...], float]] = {name: {} for name in metrics.VOLUMES}
    for claim, path in claims.items():
        try:
            s = os.statvfs(path)
        except OSError:
            continue  # it went while we looked
        values = {
            "capacity_bytes": s.f_blocks * s.f_frsize,
            "available_bytes": s.f_bavail * s.f_frsize,
            "used_bytes": (s.f_blocks - s.f_bfree) * s.f_frsize,
            "inodes": s.f_files,
            "inodes_free": s.f_ffree,
            "inodes_used": s.f_files - s.f_ffree,
        }
        for name, value in values.items():
            made[name][claim] = value
    for name, family in metrics.VOLUMES.items():
        family.replace(made[name])
