"""The shipper's loop: find logs, read them in turns, cut batches, remember what is acknowledged."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping

from logs.record import Document, Origin
from logs.ship.catalog import Where
from logs.ship.metrics import Metrics
from logs.ship.positions import Positions
from logs.ship.reading import Log
from logs.ship.sending import Batch, Sender
from logs.ship.series import Position
from telemetry.exposition import Row

log = logging.getLogger("logs.ship")

POLL = 0.25  # seconds between looks at silent files
DISCOVER = 1.0  # seconds between looks for new files
LINGER = 0.5  # seconds that lines wait for company
MAX_OPEN = 512  # descriptors; files beyond are opened again when they change
DESCRIBE = 2.0  # seconds that the lines of a new pod wait for what the API knows of it

Describe = Callable[[Where, bool], Origin | None]
"""(where, whether to do without the API) -> what is the same for all lines of the log; None: ask again."""


class Agent:
    """`find` lists the logs that are there; `describe` tells about one."""

    def __init__(
        self,
        find: Callable[[], Iterable[Where]],
        describe: Describe,
        positions: Positions,
        sender: Sender,
        metrics: Metrics,
        max_open: int = MAX_OPEN,
    ) -> None:
        self._find, self._describe = find, describe
        self._positions, self._sender, self._metrics = positions, sender, metrics
        self._max_open = max_open
        self._logs: dict[str, tuple[Where, Log]] = {}
        self._seen: dict[str, float] = {}
        self._documents: list[Document] = []
        self._size = 0
        self._first = 0.0  # when the oldest of `_documents` was read
        self._ended: dict[str, None] = {}
        self._extra: dict[str, Position | None] = {}
        self.beat = time.monotonic()

    # -- finding

    def discover(self) -> None:
        """Takes up the logs that are new. Positions of logs that went while nobody looked are forgotten."""
        for where in self._find():
            if where.path not in self._logs and where.path not in self._ended:
                start = self._positions.get(where.path)
                self._logs[where.path] = where, Log(where.path, where.name, where.source != "container", start)
                self._seen[where.path] = time.monotonic()

    def forget_absent(self) -> None:
        """At the start: positions of logs that are no longer there."""
        self._positions.save(
            {path: None for path in self._positions.paths() if path.startswith("/") and path not in self._logs}
        )

    async def _discovering(self) -> None:
        while True:
            self.discover()
            self._hold()
            self._close_surplus()
            await asyncio.sleep(DISCOVER)

    def _hold(self) -> None:
        """Opens new logs at once: while the store takes nothing they wait, and their pods may be deleted."""
        free = self._max_open - sum(one.series.open for _, one in self._logs.values())
        for _, one in list(self._logs.values()) if free > 0 else ():
            if one.series.order == 0 and not one.series.open and free > 0:
                one.series.hold()
                free -= one.series.open

    def _close_surplus(self) -> None:
        """Keeps at most `max_open` descriptors: silent files are closed, and found again by their first line."""
        idle = [one for _, one in self._logs.values() if one.series.open and not one.series.changed()]
        surplus = sum(one.series.open for _, one in self._logs.values()) - self._max_open
        for one in idle[: max(surplus, 0)]:
            one.series.release()

    def redescribe(self, uid: str) -> None:
        """What the API knows of a pod has changed."""
        for where, one in self._logs.values():
            if where.uid == uid:
                one.origin = None

    # -- reading

    async def run(self) -> None:
        """Until cancelled."""
        self.discover()
        self.forget_absent()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._discovering())
            tasks.create_task(self._reading())

    async def _reading(self) -> None:
        while True:
            self.beat = time.monotonic()
            self._sender.check()
            busy = False
            for where, one in list(self._logs.values()):
                if one.series.changed() or one.waits:
                    busy = self._turn(where, one) or busy
                    if self._size >= self._sender.target:
                        await self._cut()
                    await asyncio.sleep(0)
            if not busy:
                if time.monotonic() - self._first > LINGER:
                    await self._cut()
                await asyncio.sleep(POLL)

    def _turn(self, where: Where, one: Log) -> bool:
        """One read of one log; whether there was something."""
        if one.origin is None:
            one.origin = self._describe(where, time.monotonic() - self._seen[where.path] > DESCRIBE)
            if one.origin is None:
                return False
        before = one.lines
        documents = one.read()
        self._metrics.lines += one.lines - before
        if documents:
            self.add(documents)
        if one.series.gone:
            log.debug("%s is gone, all of it is read", where.path)
            self._count_losses(one)
            one.close()
            del self._logs[where.path], self._seen[where.path]
            self._ended[where.path] = None
        return bool(documents) or one.lines > before

    def add(self, documents: list[Document], positions: Mapping[str, Position] | None = None) -> None:
        """More documents for the next batch; with the positions (of other sources than files) that they lead to."""
        if not self._documents:
            self._first = time.monotonic()
        self._documents += documents
        self._size += sum(len(document.body) for document in documents)
        self._extra.update(positions or {})

    def _count_losses(self, one: Log) -> None:
        series = one.series
        if series.lost:
            log.warning("%s: %d files were removed before they were read to their end", one.path, series.lost)
        self._metrics.lost += series.lost
        self._metrics.truncated += series.truncated
        series.lost = series.truncated = 0

    # -- batches

    async def _cut(self) -> None:
        """What was read becomes batches; the positions go with the last of them."""
        positions: dict[str, Position | None] = {**self._extra}
        for path, (_, one) in self._logs.items():
            if one.moved:
                positions[path] = one.position()
                one.moved = False
                self._count_losses(one)
        positions.update(self._ended)
        documents, self._documents = self._documents, []
        self._extra, self._ended, self._size, self._first = {}, {}, 0, time.monotonic()
        *parts, last = _slices(documents, self._sender.target)
        for part, size in parts:
            await self._sender.put(Batch(part, size))
        if last[0] or positions:
            await self._sender.put(Batch(*last, positions))

    async def close(self) -> None:
        """What was read and not acknowledged is read again after the next start."""
        await self._sender.close()
        for _, one in self._logs.values():
            one.close()
        self._positions.close()

    # -- figures

    def rows(self) -> Iterable[Row]:
        yield from self._metrics.rows()
        yield "waiting_bytes", "gauge", "Bytes in files that are not read yet.", self.waiting()
        yield (
            "state_up",
            "gauge",
            "Whether positions can be written; while not, lines are sent again after a restart.",
            float(not self._positions.failing),
        )
        yield (
            "open_files",
            "gauge",
            "Descriptors of log files.",
            sum(one.series.open for _, one in self._logs.values()),
        )
        yield "logs", "gauge", "Logs that are followed.", len(self._logs)
        yield "batch_bytes", "gauge", "Size that batches have now.", self._sender.target
        yield (
            "unacknowledged_seconds",
            "gauge",
            "Since when the oldest lines that were read wait for the store.",
            self.behind(),
        )

    def waiting(self) -> int:
        return sum(one.series.waiting() for _, one in self._logs.values())

    def behind(self) -> float:
        """Seconds that the oldest line has waited since it was read."""
        oldest = min(filter(None, (self._sender.oldest, self._first if self._documents else 0.0)), default=0.0)
        return time.monotonic() - oldest if oldest else 0.0


def _slices(documents: list[Document], target: int) -> list[tuple[list[Document], int]]:
    """In batches of about `target` bytes; at least one, which may be empty."""
    result: list[tuple[list[Document], int]] = []
    part: list[Document] = []
    size = 0
    for document in documents:
        part.append(document)
        size += len(document.body)
        if size >= target:
            result.append((part, size))
            part, size = [], 0
    if part or not result:
        result.append((part, size))
    return result
