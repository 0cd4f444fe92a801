"""Takes a sample of everything each 10 s, and makes rates of the difference to the one before."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from kube import quantity
from kube.objects import Json
from kube.pods import podutil
from kubelet.disk import disk_usage
from kubelet.metrics import RELIST
from kubelet.runtimes.base import Measurable, Running
from kubelet.stats import groups, machine
from kubelet.stats.model import ContainerStats, NodeStats, PodStats, Snapshot, Usage
from kubelet.stats.processes import Table

if TYPE_CHECKING:
    from kube.shapes import PodLike

log = logging.getLogger("kubelet.stats")

PERIOD = 10.0
SHORTEST = 1.0  # seconds: a rate over less says little
WALK_EVERY = 60.0  # folders of volumes and containers are walked that seldom


class Sampler:
    """`pods` gives the node's pods, `measurable` where one's figures are.  One sample is kept, and totals to compare."""

    def __init__(
        self,
        node_name: str,
        root_dir: Path,
        pods: Callable[[], Iterable[Json]],
        measurable: Callable[[str], Measurable | None],
        proc: Path = Path("/proc"),
    ) -> None:
        self._node_name, self._root, self._proc = node_name, root_dir, proc
        self._pods, self._measurable = pods, measurable
        self._booted = machine.booted(proc)
        self._last: Snapshot | None = None
        self._totals: dict[str, tuple[float, float, float | None]] = {}  # id -> (at, CPU seconds, rate)
        self._sizes: dict[str, tuple[float, int]] = {}
        self._lock = asyncio.Lock()

    async def run(self) -> None:
        while True:
            try:
                await self._take()
            except (OSError, ValueError) as error:
                log.warning("no sample was taken: %s", error)
            await asyncio.sleep(PERIOD)

    async def latest(self) -> Snapshot:
        """The sample of the last 10 s; a fresh one when that is late."""
        last = self._last
        if last is None or time.time() - last.node.at > PERIOD * 1.5:
            return await self._take()
        return last

    async def _take(self) -> Snapshot:
        async with self._lock:
            found, started = [], time.perf_counter()
            for pod in list(self._pods()):
                source = self._measurable(podutil.uid(pod))
                if source is not None:
                    found.append((pod, source))
                await asyncio.sleep(0)  # reading the records of many pods must not hold up their probes
            RELIST.observe(time.perf_counter() - started)
            self._last = await asyncio.to_thread(self.sample, found)
            return self._last

    def sample(self, sources: list[tuple[Json, Measurable]]) -> Snapshot:
        """Reads everything now.  Blocking: a few files for each container."""
        usage, total = machine.usage(self._proc)
        now = time.time()
        snapshot = Snapshot(
            NodeStats(
                name=self._node_name,
                started_at=self._booted,
                at=now,
                usage=usage,
                memory_total=total,
                cpus=len(os.sched_getaffinity(0)),
                rate=self._rate(self._node_name, now, usage),
                interfaces=machine.interfaces("self", self._proc),
                files=machine.file_system(self._root),
            )
        )
        table: Table | None = None
        seen = {self._node_name}
        for pod, source in sources:
            if table is None and any(
                run.pid > 0 and groups.measures(run.groups) != (True, True) for run in source.running
            ):
                table = Table(self._proc)
            try:
                made = self._pod(pod, source, table)
            except (OSError, ValueError) as error:
                snapshot.failed += 1
                log.debug("%s not measured: %s", podutil.full_name(pod), error)
                continue
            snapshot.pods.append(made)
            seen.update(container.id for container in made.containers)
        seen.update(pod.uid for pod in snapshot.pods)
        self._totals = {key: value for key, value in self._totals.items() if key in seen}
        self._sizes = {key: value for key, value in self._sizes.items() if key in seen}
        return snapshot

    def _pod(self, pod: PodLike, source: Measurable, table: Table | None) -> PodStats:
        state = source.state
        made = PodStats(state.uid, state.namespace, state.name, state.since, time.time())
        if source.network_pid:
            made.interfaces = machine.interfaces(source.network_pid, self._proc)
        for running in source.running:
            with contextlib.suppress(FileNotFoundError):  # it ended meanwhile
                made.containers.append(self._container(pod, running, table))
        volumes = source.folder / "volumes" / "kubernetes.io~empty-dir" if source.folder else None
        made.volumes = self._walked(state.uid, volumes)
        return made

    def _container(self, pod: PodLike, running: Running, table: Table | None) -> ContainerStats:
        state = running.state
        usage = _usage(running, table)
        now = time.time()
        spec = podutil.container(pod, state.name)
        limits = ((spec or {"name": state.name}).get("resources") or {}).get("limits") or {}
        return ContainerStats(
            name=state.name,
            id=state.id,
            image=state.image,
            started_at=state.started_at,
            usage=usage,
            at=now,
            rate=self._rate(state.id, now, usage),
            logs=disk_usage(Path(state.log).parent) if state.log else 0,
            written=self._walked(state.id, running.written),
            cpu_limit=quantity.milli(limits["cpu"]) / 1000 if "cpu" in limits else 0.0,
            memory_limit=quantity.units(limits["memory"]) if "memory" in limits else 0,
        )

    def _rate(self, key: str, now: float, usage: Usage) -> float | None:
        """Cores since the last sample.  A total never falls: processes that ended take theirs out of /proc with them."""
        before = self._totals.get(key)
        if before is None:
            self._totals[key] = (now, usage.cpu, None)
            return None
        at, total, rate = before
        usage.cpu = max(usage.cpu, total)
        if now - at < SHORTEST:
            return rate
        rate = (usage.cpu - total) / (now - at)
        self._totals[key] = (now, usage.cpu, rate)
        return rate

    def _walked(self, key: str, folder: Path | None) -> int:
        """Bytes below `folder`, as they were at the last walk; `key` is the pod's or container's id."""
        if folder is None:
            return 0
        at, size = self._sizes.get(key, (0.0, 0))
        now = time.monotonic()
        if not at or now - at > WALK_EVERY:
            size = disk_usage(folder)
            self._sizes[key] = (now, size)
        return size


def _usage(running: Running, table: Table | None) -> Usage:
    """From the control groups; what those do not tell, from the processes."""
    cpu, memory = groups.measures(running.groups)
    usage = groups.read(running.groups) if cpu or memory else Usage()
    if table is None or (cpu and memory):
        return usage
    processes = table.usage(running.pid)
    if not memory:
        for name in ("memory", "working_set", "rss", "page_faults", "major_page_faults", "processes"):
            setattr(usage, name, getattr(processes, name))
    if not cpu:
        usage.cpu = processes.cpu
    return usage
