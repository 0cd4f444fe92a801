"""Taking documents in: one thread gathers what waits into one commit, and answers when it is on the disk."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

import tantivy

from logs.index.part import Part
from logs.index.parts import Full, Parts
from logs.index.schema import BadDocument, document
from logs.query.moments import day as day_of
from logs.record import OK, Result

log = logging.getLogger("logs.index")

GROUP = 20_000  # lines in one commit
PAUSE = 0.5  # seconds between two commits when little comes: each makes a file that is to be merged
REST = 30.0  # seconds without lines until a writer's memory is let go
SWEEP = 60.0  # seconds between looks at age and size
MAX_WAITING = 64 << 20  # bytes that wait for a commit; more is refused

Entry = tuple[str, int, tantivy.Document]  # id, time in nanoseconds, and what is indexed


class Batch:
    """Lines of one request, and where its results go."""

    def __init__(self, lines: Sequence[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self.lines, self.loop = lines, loop
        self.size = sum(map(len, lines))
        self.done: asyncio.Future[list[Result]] = loop.create_future()

    def answer(self, results: list[Result] | Exception) -> None:
        self.loop.call_soon_threadsafe(self._set, results)

    def _set(self, results: list[Result] | Exception) -> None:
        if self.done.cancelled():
            return
        if isinstance(results, Exception):
            self.done.set_exception(results)
        else:
            self.done.set_result(results)


class Writer:
    """Its thread is the only writer of the indices. `committed` is called from it after each commit."""

    def __init__(self, parts: Parts, committed: Callable[[], None] = lambda: None) -> None:
        self.parts, self.committed = parts, committed
        self.added = self.known = self.rejected = self.commits = self.failed = 0
        self.waiting = 0
        self._queue: queue.Queue[Batch | None] = queue.Queue()
        self._seq = self._mark = time.time_ns()
        self._last = self._swept = 0.0
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    @property
    def mark(self) -> int:
        """Lines up to here are committed, and none of them is still to come."""
        return self._mark

    async def write(self, lines: Sequence[bytes]) -> list[Result]:
        """A result a line, when all are durable. Raises Full."""
        batch = Batch(lines, asyncio.get_running_loop())
        if self.waiting + batch.size > MAX_WAITING:
            raise Full(f"{self.waiting >> 20} MiB wait to be written")
        self.waiting += batch.size
        try:
            self._queue.put(batch)
            return await asyncio.shield(batch.done)
        finally:
            self.waiting -= batch.size

    def close(self) -> None:
        """Commits what was taken, and ends the thread."""
        self._queue.put(None)
        self._thread.join()

    # -- in the thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            batches = self._gather()
            if batches:
                self._commit(batches)
            if time.monotonic() - self._swept >= SWEEP:
                self._swept = time.monotonic()
                self._rest()
                try:
                    self.parts.sweep()
                except OSError:
                    log.exception("old lines could not be dropped")
            if batches is None:
                self._rest(0.0)
                return

    def _rest(self, idle: float = REST) -> None:
        for part in self.parts.opened():
            part.rest(idle)

    def _gather(self) -> list[Batch] | None:
        try:
            first = self._queue.get(timeout=REST)
        except queue.Empty:
            self._rest()
            return []
        if first is None:
            return None
        batches, count = [first], len(first.lines)
        while count < GROUP:
            try:
                more = self._queue.get(timeout=max(0.0, self._last + PAUSE - time.monotonic()))
            except queue.Empty:
                break
            if more is None:
                self._queue.put(None)
                break
            batches.append(more)
            count += len(more.lines)
        return batches

    def _commit(self, batches: list[Batch]) -> None:
        touched: set[Part] = set()
        try:
            self.parts.make_room()
            results = [self._add(batch.lines, touched) for batch in batches]
            for part in touched:
                part.commit()
                self.parts.grown(part)
        except Exception as error:
            self.failed += 1
            if not isinstance(error, Full):
                log.exception("a commit failed")
            for part in touched:
                try:
                    part.rollback()
                except Exception:
                    log.exception("%s could not be taken back", part.folder)
            refusal = error if isinstance(error, Full) else Full(f"the lines cannot be written: {error}")
            for batch in batches:
                batch.answer(refusal)
            self._last = time.monotonic()
            return
        self._last = time.monotonic()
        self.commits += 1
        self._mark = self._seq
        for batch, found in zip(batches, results, strict=True):
            batch.answer(found)
        self.committed()

    def _add(self, lines: Sequence[bytes], touched: set[Part]) -> list[Result]:
        results, wanted = [OK] * len(lines), dict[str, list[Entry]]()
        for number, line in enumerate(lines):
            try:
                name, nanos, entry = document(line)
                if refusal := self.parts.accepts(nanos):
                    raise BadDocument(refusal)
            except BadDocument as error:
                self.rejected += 1
                results[number] = Result("rejected", str(error))
                continue
            wanted.setdefault(day_of(nanos), []).append((name, nanos, entry))
        for day, entries in wanted.items():
            *full, taking = self.parts.of_day(day)
            touched.add(taking)
            for name, nanos, entry in entries:  # each once, whichever part of its day has it
                if taking.holds(name, nanos) or any(part.holds(name, nanos) for part in full):
                    self.known += 1
                    continue
                self._seq += 1
                entry.add_unsigned("seq", self._seq)
                taking.add(name, nanos, entry)
                self.added += 1
        return results
