"""Taking documents in: one thread gathers what waits into one commit, and answers when it is on the disk."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

import tantivy

from logs.index.day import Day
from logs.index.days import Days, Full
from logs.index.schema import BadDocument, document
from logs.query.moments import day as day_of
from logs.record import OK, Result

log = logging.getLogger("logs.index")

GROUP = 20_000       # lines in one commit
PAUSE = 0.5          # seconds between two commits when little comes: each makes a file that is to be merged
REST = 30.0          # seconds without lines until a writer's memory is let go
SWEEP = 60.0         # seconds between looks at age and size
MAX_WAITING = 64 << 20   # bytes that wait for a commit; more is refused


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

    def __init__(self, days: Days, committed: Callable[[], None] = lambda: None) -> None:
        self.days, self.committed = days, committed
        self.added = self.known = self.rejected = self.commits = self.failed = 0
        self.waiting = 0
        self._queue: queue.Queue[Batch | None] = queue.Queue()
        self._seq = time.time_ns()
        self._last = self._swept = 0.0
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    @property
    def mark(self) -> int:
        """No line up to here is still to come."""
        return self._seq

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
            self._care()
            if batches is None:
                for day in self.days.opened():
                    day.rest()
                return

    def _gather(self) -> list[Batch] | None:
        try:
            first = self._queue.get(timeout=REST)
        except queue.Empty:
            for day in self.days.opened():
                day.rest()
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
        touched: dict[str, Day] = {}
        try:
            self.days.check_room()
            results = [self._add(batch.lines, touched) for batch in batches]
            for day in touched.values():
                day.commit()
        except Exception as error:
            self.failed += 1
            if not isinstance(error, Full):
                log.exception("a commit failed")
            self._undo(touched)
            refusal = error if isinstance(error, Full) else Full(f"the lines can not be written: {error}")
            for batch in batches:
                batch.answer(refusal)
            self._last = time.monotonic()
            return
        self._last = time.monotonic()
        self.commits += 1
        for batch, found in zip(batches, results, strict=True):
            batch.answer(found)
        self.committed()

    def _undo(self, touched: dict[str, Day]) -> None:
        for day in touched.values():
            try:
                day.rollback()
            except Exception:
                log.exception("%s could not be taken back", day.folder)

    def _add(self, lines: Sequence[bytes], touched: dict[str, Day]) -> list[Result]:
        results, wanted = [OK] * len(lines), dict[str, list[tuple[str, tantivy.Document]]]()
        for number, line in enumerate(lines):
            try:
                name, nanos, entry = document(line)
                if refusal := self.days.accepts(nanos):
                    raise BadDocument(refusal)
            except BadDocument as error:
                self.rejected += 1
                results[number] = Result("rejected", str(error))
                continue
            wanted.setdefault(day_of(nanos), []).append((name, entry))
        for day_name, entries in wanted.items():
            day = touched[day_name] = self.days.day(day_name)
            self._add_to(day, entries)
        return results

    def _add_to(self, day: Day, entries: list[tuple[str, tantivy.Document]]) -> None:
        for (_, entry), missing in zip(entries, day.missing([name for name, _ in entries]), strict=True):
            if not missing:
                self.known += 1
                continue
            self._seq += 1
            entry.add_unsigned("seq", self._seq)
            day.add(entry)
            self.added += 1

    def _care(self) -> None:
        if time.monotonic() - self._swept < SWEEP:
            return
        self._swept = time.monotonic()
        try:
            self.days.dropped += self.days.sweep()
        except OSError:
            log.exception("old lines could not be dropped")
