"""Batches on their way to the store: sizes that adapt, retries that back off, refusals kept aside."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from client.backoff import Backoff
from logs.record import Document, Result, Store, Unavailable
from logs.ship.deadletters import DeadLetters
from logs.ship.metrics import Metrics
from logs.ship.series import Position

log = logging.getLogger("logs.ship.sending")

SMALLEST, FIRST, LARGEST = 32 * 1024, 512 * 1024, 4 * 1024 * 1024  # bytes of a batch
AT_ONCE = 2  # batches on their way


@dataclass
class Batch:
    """Documents, and the positions that hold once they are acknowledged."""

    documents: list[Document]
    size: int
    positions: dict[str, Position | None] = field(default_factory=dict)
    made: float = field(default_factory=time.monotonic)


class Sender:
    """`put` batches; `acknowledged` is called with positions in the order of the batches, whichever is done first."""

    def __init__(
        self,
        store: Store,
        dead: DeadLetters,
        metrics: Metrics,
        acknowledged: Callable[[dict[str, Position | None]], None],
        at_once: int = AT_ONCE,
    ) -> None:
        self._store, self._dead, self._metrics, self._acknowledged = store, dead, metrics, acknowledged
        self._slots = asyncio.Semaphore(at_once)
        self._waiting: deque[tuple[Batch, asyncio.Task[None]]] = deque()
        self.target = FIRST
        self._rate = 0.0
        self._growing = True
        self._broken: Exception | None = None

    @property
    def idle(self) -> bool:
        return not self._waiting

    @property
    def oldest(self) -> float:
        """When the oldest batch on its way was made; 0 when there is none."""
        return self._waiting[0][0].made if self._waiting else 0.0

    def check(self) -> None:
        """Raises the unforeseen error that a batch has met, if one has: only a new start can go on then."""
        if self._broken is not None:
            raise self._broken

    async def put(self, batch: Batch) -> None:
        """Returns when the batch is on its way: waits while there are enough of them."""
        await self._slots.acquire()
        self.check()
        task = asyncio.create_task(self._send(batch))
        self._waiting.append((batch, task))
        task.add_done_callback(lambda _: self._settle())

    async def _send(self, batch: Batch) -> None:
        try:
            started = time.monotonic()
            await self._deliver(batch.documents)
            # Larger batches as long as they make the rate rise; of a smaller one the lines came slower than they went.
            rate = batch.size / max(time.monotonic() - started, 1e-4)
            if batch.size >= self.target * 0.8:
                if self._growing and rate > self._rate * 1.1:
                    self.target = min(self.target * 2, LARGEST)
                else:
                    self._growing = False
                self._rate = rate
        finally:
            self._slots.release()

    def _settle(self) -> None:
        while self._waiting and self._waiting[0][1].done():
            batch, task = self._waiting.popleft()
            if task.cancelled() or self._broken is not None:
                continue
            try:
                task.result()
                self._acknowledged(batch.positions)
            except Exception as error:
                self._broken = error  # unforeseen: nothing after it is acknowledged, and `check` raises it

    async def _deliver(self, documents: list[Document]) -> None:
        """Returns when each is kept, or kept aside."""
        backoff = Backoff(longest=15.0)
        while documents:
            try:
                results = await self._store.write(documents)
            except Unavailable as error:
                if error.too_large and len(documents) > 1:
                    self._shrink()
                    half = len(documents) // 2
                    await self._deliver(documents[:half])
                    documents = documents[half:]
                elif error.too_large:
                    await self._set_aside([(documents[0], str(error))])
                    return
                else:
                    await self._pause(error, backoff)
                continue
            self._metrics.store_answered()
            documents = await self._take_results(documents, results)
            if documents:
                await self._pause(Unavailable(f"{len(documents)} documents are to be sent again"), backoff)

    async def _take_results(self, documents: list[Document], results: list[Result]) -> list[Document]:
        """What is to be sent again; what is refused is set aside."""
        again: list[Document] = []
        refused: list[tuple[Document, str]] = []
        for document, result in zip(documents, results, strict=True):
            if result.status == "retry":
                again.append(document)
            elif result.status == "rejected":
                refused.append((document, result.reason))
        self._metrics.shipped += len(documents) - len(again) - len(refused)
        if refused:
            await self._set_aside(refused)
        return again

    async def _set_aside(self, refused: list[tuple[Document, str]]) -> None:
        backoff = Backoff(longest=15.0)
        while True:
            try:
                self._dead.add(refused)
                break
            except OSError as error:
                log.error("refused documents cannot be kept aside, waiting: %s", error)
                await asyncio.sleep(backoff.delay())
        self._metrics.rejected += len(refused)
        log.warning(
            "%d documents are refused and kept in %s; the first: %s", len(refused), self._dead.path, refused[0][1][:300]
        )

    async def _pause(self, why: Unavailable, backoff: Backoff) -> None:
        self._shrink()
        self._metrics.retries += 1
        delay = max(backoff.delay(), why.retry_after or 0.0)
        self._metrics.store_failed(str(why))
        log.warning("%s; again in %.1f s", why, delay)
        await asyncio.sleep(delay)

    def _shrink(self) -> None:
        self.target, self._rate, self._growing = max(self.target // 2, SMALLEST), 0.0, True

    async def close(self) -> None:
        """Gives up what is on its way: it is sent again after the next start."""
        tasks = [task for _, task in self._waiting]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._settle()
        await self._store.close()
