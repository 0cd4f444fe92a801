"""What simulated containers use: made up from the pod's uid and the time, the same whenever one asks.

CPU goes up and down around a share of what the container requests, and never above it; so does memory. Totals are the
integral of the rate, so that they fit it and never fall.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from kube import quantity
from kube.objects import Json
from kubelet.stats.model import ContainerStats, FileSystem, Interface, NodeStats, PodStats, Snapshot, Usage

CORES, MEMORY, DISK = 8, 16 << 30, 100 << 30  # of a node, as `nodes.CAPACITY` says
PERIODS = (600.0, 5400.0)  # seconds from one high to the next
SWING = 0.3  # of the mean, up and down
DEFAULT_CPU, DEFAULT_MEMORY = 0.05, 64 << 20  # of a container that requests nothing
OWN_CPU, OWN_MEMORY = 0.1, 512 << 20  # what a node takes for itself


class Resources(NamedTuple):
    """Of one container: cores and bytes, 0 where nothing is said."""

    cpu: float = 0.0
    memory: int = 0
    cpu_limit: float = 0.0
    memory_limit: int = 0


def resources(container: Json) -> Resources:
    """What a container requests and is limited to."""
    found = container.get("resources") or {}
    limits = found.get("limits") or {}
    requests = {**limits, **(found.get("requests") or {})}
    return _resources(*[part.get(name, "0") for part in (requests, limits) for name in ("cpu", "memory")])


@lru_cache(maxsize=1024)
def _resources(cpu: str, memory: str, cpu_limit: str, memory_limit: str) -> Resources:
    return Resources(
        quantity.milli(cpu) / 1000,
        quantity.units(memory),
        quantity.milli(cpu_limit) / 1000,
        quantity.units(memory_limit),
    )


def snapshot(name: str, since: float, pods: Iterable[Json], now: float) -> Snapshot:
    """All figures of a node with these (trimmed) pods; `since`: when it was registered. Times in epoch seconds."""
    made = Snapshot(NodeStats(name, since, now, Usage(), MEMORY, CORES, 0.0))
    for pod in pods:
        if pod["phase"] == "Running":
            made.pods.append(_pod(pod, now))
    node = made.node
    node.usage = Usage(cpu=OWN_CPU * (now - since), memory=OWN_MEMORY, working_set=OWN_MEMORY, rss=OWN_MEMORY)
    for one in made.pods:
        node.usage.add(one.usage)
    node.rate = OWN_CPU + sum(one.rate or 0.0 for one in made.pods)
    node.interfaces = [_interface(sum(one.interfaces[0].rx_bytes for one in made.pods), 0.6)]
    used = (10 << 30) + (len(made.pods) << 26)
    node.files = FileSystem(DISK, DISK - used, used, 1 << 22, (1 << 22) - 100_000)
    return made


def _pod(pod: Json, now: float) -> PodStats:
    meta, since = pod["metadata"], min(pod["since"], now)
    made = PodStats(meta["uid"], meta["namespace"], meta["name"], since, now)
    for (name, image), asked in zip(pod["containers"], pod["resources"], strict=True):
        made.containers.append(_container(f"{meta['uid']}/{name}", name, image, asked, since, now))
    made.interfaces = [_interface(int((made.usage.cpu + 1) * 200_000), 0.4)]
    return made


def _container(key: str, name: str, image: str, asked: Resources, since: float, now: float) -> ContainerStats:
    share, phase, period = _chance(key, 0), _chance(key, 1) * math.tau, PERIODS[0] + _chance(key, 2) * PERIODS[1]
    mean = (asked.cpu or DEFAULT_CPU) * (0.2 + 0.5 * share)
    # The rate swings around its mean; the total is its integral since then.
    speed = math.tau / period
    rate = mean * (1 + SWING * math.sin(now * speed + phase))
    waved = math.cos(since * speed + phase) - math.cos(now * speed + phase)
    total = max(mean * (now - since) + mean * SWING / speed * waved, 0.0)
    swing = 1 + 0.1 * math.sin(now * math.tau / period + phase)
    memory = int((asked.memory or DEFAULT_MEMORY) * (0.45 + 0.4 * share) * swing)
    usage = Usage(
        cpu=total, memory=memory, working_set=memory * 9 // 10, rss=memory * 8 // 10, cache=memory // 10, processes=1
    )
    if asked.cpu_limit:
        usage.periods = int((now - since) * 10)
    return ContainerStats(
        name,
        f"sim-{zlib.crc32(key.encode()):08x}",
        image,
        since,
        usage,
        now,
        rate,
        4096,
        asked.cpu_limit,
        asked.memory_limit,
    )


def _chance(key: str, number: int) -> float:
    """From 0 to 1, always the same for a key and number."""
    return zlib.crc32(f"{number}:{key}".encode()) / 0xFFFFFFFF


def _interface(received: int, answer: float) -> Interface:
    sent = int(received * answer)
    return Interface("eth0", received, received // 800, 0, 0, sent, sent // 800, 0, 0)
