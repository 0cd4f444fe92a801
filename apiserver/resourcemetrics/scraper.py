"""Figures from the kubelets' /stats/summary: fetched when they are asked for, and kept for 15 s."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from dataclasses import dataclass, field
from typing import Any

import orjson

from apiserver.backend import Exchange, Target
from cluster.errors import ApiError

log = logging.getLogger(__name__)
Json = dict[str, Any]

KEEP = float(os.environ.get("BINNACLE_METRICS_RESOLUTION") or 15)  # seconds, as a metrics-server scrapes
TIMEOUT = 3.0       # seconds for one kubelet: autoscalers wait 5 for the whole
TOGETHER = 32       # kubelets asked at once
LIMIT = 16 << 20    # bytes of an answer
PATH = "/stats/summary?only_cpu_and_memory=true"


@dataclass(slots=True)
class Figures:
    """What was measured at `timestamp` (RFC 3339): (CPU in nanocores, memory in bytes) by container, "" for a node."""

    timestamp: str
    usage: dict[str, tuple[int, int]]


@dataclass(slots=True)
class Round:
    """The figures of all nodes that answered; pods by (namespace, name)."""

    at: float = 0.0
    nodes: dict[str, Figures] = field(default_factory=dict)
    pods: dict[tuple[str, str], Figures] = field(default_factory=dict)


class Scraper:
    """One round serves all requests of the next 15 s; those that come meanwhile wait for it."""

    def __init__(self) -> None:
        self._last = Round()
        self._lock = asyncio.Lock()
        self._silent: set[str] = set()

    async def latest(self, targets: dict[str, Target]) -> Round:
        """The figures now; `targets`: the kubelets by the names of their nodes."""
        async with self._lock:
            if time.monotonic() - self._last.at > KEEP or not self._last.at:
                self._last = await self._round(targets)
            return self._last

    async def _round(self, targets: dict[str, Target]) -> Round:
        gate = asyncio.Semaphore(TOGETHER)
        made = Round(time.monotonic())

        async def one(name: str, target: Target) -> None:
            async with gate:
                try:
                    read(await asyncio.wait_for(fetch(target), TIMEOUT), name, made)
                    self._silent.discard(name)
                except (ApiError, OSError, TimeoutError, ValueError, KeyError, TypeError) as error:
                    if name not in self._silent:
                        log.warning("no figures of node %s: %s", name, str(error) or type(error).__name__)
                    self._silent.add(name)

        self._silent &= targets.keys()
        await asyncio.gather(*(one(name, target) for name, target in targets.items()))
        return made


async def fetch(target: Target) -> Json:
    """A kubelet's summary. Raises ApiError, ValueError."""
    exchange = Exchange(target)
    await exchange.start("GET", PATH, [])
    body = bytearray()
    async for chunk in exchange.chunks():
        body += chunk
        if len(body) > LIMIT:
            raise ValueError(f"its summary is longer than {LIMIT} bytes")
    if exchange.status != 200:
        raise ValueError(f"it answered {exchange.status}: {bytes(body[:200]).decode(errors='replace')}")
    summary: Json = orjson.loads(body)
    return summary


def read(summary: Json, node: str, into: Round) -> None:
    """Take over one summary. What was seen only once has no rate yet, and is left out, as is a pod with such a part."""
    usage = _usage(summary["node"])
    if usage is not None:
        into.nodes[node] = Figures(summary["node"]["cpu"]["time"], {"": usage})
    for pod in summary.get("pods") or ():
        parts = {c["name"]: _usage(c) for c in pod.get("containers") or ()}
        known = {name: usage for name, usage in parts.items() if usage is not None}
        if known and len(known) == len(parts):
            reference = pod["podRef"]
            into.pods[reference["namespace"], reference["name"]] = Figures(pod["containers"][0]["cpu"]["time"], known)


def _usage(part: Json) -> tuple[int, int] | None:
    cpu, memory = part.get("cpu") or {}, part.get("memory") or {}
    if "usageNanoCores" not in cpu or "workingSetBytes" not in memory:
        return None
    return int(cpu["usageNanoCores"]), int(memory["workingSetBytes"])
