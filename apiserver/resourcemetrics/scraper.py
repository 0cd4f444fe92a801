"""Figures from the kubelets' /stats/summary: rounds over all of them for as long as somebody asks, as metrics-server does."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

import environment
from apiserver.backend import Target
from kube.objects import Json
from web.address import Place
from web.client import FAILURES, Pool

log = logging.getLogger(__name__)
Kubelet = tuple[Target, str]  # where, and what its paths begin with

EVERY = environment.METRICS_RESOLUTION.get()  # seconds from one round to the next
GO_ON = 60.0  # seconds after the last question: an autoscaler asks each 15, who watches `kubectl top` more often
TIMEOUT = 3.0  # seconds for one kubelet: autoscalers wait 5 for the whole
ROUND = 10.0  # seconds for all: those that were silent come last, so that they take nobody's turn
TOGETHER = 32  # kubelets asked at once
UNUSABLE: tuple[type[Exception], ...] = (*FAILURES, ValueError, KeyError, TypeError)
PATH = "/stats/summary?only_cpu_and_memory=true"


@dataclass(slots=True)
class Figures:
    """What was measured at `timestamp` (RFC 3339): (CPU in nanocores, memory in bytes) by container, "" for a node."""

    timestamp: str
    usage: dict[str, tuple[int, int]]


@dataclass(slots=True)
class Round:
    """The figures of all nodes that answered; pods by (namespace, name)."""

    nodes: dict[str, Figures] = field(default_factory=dict)
    pods: dict[tuple[str, str], Figures] = field(default_factory=dict)


class Scraper:
    """The first question waits for a round; later ones are answered at once, with what the last round found."""

    def __init__(self) -> None:
        self._last = Round()
        self._asked = 0.0
        self._first: asyncio.Task[None] | None = None
        self._going: asyncio.Task[None] | None = None
        self._silent: set[str] = set()
        self._pool = Pool()

    async def latest(self, kubelets: Callable[[], dict[str, Kubelet]]) -> Round:
        """The newest figures; `kubelets` gives those to ask, by the names of their nodes, each time a round begins."""
        self._asked = time.monotonic()
        if self._first is None or self._going is None or self._going.done():
            self._first = asyncio.create_task(self._round(kubelets))
            self._going = asyncio.create_task(self._go_on(self._first, kubelets))
        await asyncio.shield(self._first)  # others wait for it too, when this one leaves
        return self._last

    async def _go_on(self, first: asyncio.Task[None], kubelets: Callable[[], dict[str, Kubelet]]) -> None:
        """Rounds until nobody has asked for a while; the connections are kept until then."""
        try:
            due = time.monotonic() + EVERY
            await asyncio.wait({first})
            while not first.exception():
                await asyncio.sleep(max(due - time.monotonic(), EVERY / 10))
                if time.monotonic() - self._asked > GO_ON:
                    break
                due = time.monotonic() + EVERY
                await self._round(kubelets)
        finally:
            self._pool.only(set())

    async def _round(self, kubelets: Callable[[], dict[str, Kubelet]]) -> None:
        found, made = kubelets(), Round()
        self._silent &= found.keys()
        self._pool.only({_place(target) for target, _ in found.values()})
        waiting = iter(sorted(found.items(), key=lambda one: one[0] in self._silent))

        async def ask() -> None:
            for name, kubelet in waiting:
                await self._ask(name, kubelet, made)

        try:
            async with asyncio.timeout(ROUND):
                await asyncio.gather(*(ask() for _ in range(TOGETHER)))
        except TimeoutError:
            log.warning("%d of %d nodes gave figures within %.0f s", len(made.nodes), len(found), ROUND)
        self._last = made

    async def _ask(self, name: str, kubelet: Kubelet, made: Round) -> None:
        target, prefix = kubelet
        try:
            async with asyncio.timeout(TIMEOUT):
                response = await self._pool.get(_place(target), prefix + PATH)
            if response.status != 200:
                raise ValueError(f"it answered {response.status}: {response.body[:200].decode(errors='replace')}")
            read(orjson.loads(response.body), name, made)
            self._silent.discard(name)
        except UNUSABLE as error:
            if name not in self._silent:
                log.warning("no figures of node %s: %s", name, str(error) or type(error).__name__)
            self._silent.add(name)


def _place(target: Target) -> Place:
    return Place(target.host, target.port, target.tls)


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
