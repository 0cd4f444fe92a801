"""The figures of one sample.  Times are seconds since the epoch, memory and storage bytes, CPU seconds (rates: cores)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Usage:
    """Totals since the start of whatever was measured, and what it holds now."""

    cpu: float = 0.0
    memory: int = 0
    working_set: int = 0
    rss: int = 0
    cache: int = 0
    swap: int = 0
    mapped_file: int = 0
    page_faults: int = 0
    major_page_faults: int = 0
    processes: int = 0
    periods: int = 0
    throttled_periods: int = 0
    throttled_seconds: float = 0.0

    def add(self, other: Usage) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class Interface:
    """Counters of one network interface."""

    name: str
    rx_bytes: int = 0
    rx_packets: int = 0
    rx_errors: int = 0
    rx_dropped: int = 0
    tx_bytes: int = 0
    tx_packets: int = 0
    tx_errors: int = 0
    tx_dropped: int = 0


@dataclass(slots=True)
class FileSystem:
    capacity: int = 0
    available: int = 0
    used: int = 0
    inodes: int = 0
    inodes_free: int = 0


@dataclass(slots=True)
class ContainerStats:
    """One running container.  `rate` is None until it was seen twice; `cpu_limit` in cores, `memory_limit` 0 for none."""

    name: str
    id: str
    image: str
    started_at: float
    usage: Usage
    at: float
    rate: float | None = None
    logs: int = 0
    cpu_limit: float = 0.0
    memory_limit: int = 0
    written: int = 0
    """Bytes in its own root directory."""

    @property
    def on_disk(self) -> int:
        """Bytes of all that it left there but volumes."""
        return self.logs + self.written


@dataclass(slots=True)
class PodStats:
    uid: str
    namespace: str
    name: str
    started_at: float
    at: float
    containers: list[ContainerStats] = field(default_factory=list)
    interfaces: list[Interface] = field(default_factory=list)
    volumes: int = 0

    @property
    def usage(self) -> Usage:
        """The sum of its containers."""
        total = Usage()
        for container in self.containers:
            total.add(container.usage)
        return total

    @property
    def rate(self) -> float | None:
        rates = [container.rate for container in self.containers if container.rate is not None]
        return sum(rates) if rates else None


@dataclass(slots=True)
class NodeStats:
    name: str
    started_at: float
    at: float
    usage: Usage
    memory_total: int = 0
    cpus: int = 0
    rate: float | None = None
    interfaces: list[Interface] = field(default_factory=list)
    files: FileSystem = field(default_factory=FileSystem)


@dataclass(slots=True)
class Snapshot:
    """All of one sample; `failed` counts what could not be read."""

    node: NodeStats
    pods: list[PodStats] = field(default_factory=list)
    failed: int = 0
