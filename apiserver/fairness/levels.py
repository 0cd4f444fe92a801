"""A priority level at work: so many seats, and queues for who finds none free, each with its turn."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable

from kube.objects import Json

LONGEST = 15.0  # seconds that a request waits for a seat
GUESS = 0.003  # seconds that a request takes, until it is known
HANDS = 10_000  # flows of which it is remembered which queues are theirs

Observer = Callable[[str, float], None]


class Rejected(Exception):
    """No seat, and no place to wait for one: `reason` as Kubernetes' metrics name it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Queue:
    """Requests that wait. `served` is the virtual time up to which its flows had their share; the least is next."""

    __slots__ = ("served", "serving", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[tuple[asyncio.Future[None], int]] = deque()
        self.served = 0.0
        self.serving = 0


class Seat:
    """One request at work; `leave` gives its seats back."""

    __slots__ = ("_began", "_level", "_queue", "width")

    def __init__(self, level: Level, queue: _Queue | None, width: int, began: float) -> None:
        self._level, self._queue, self.width, self._began = level, queue, width, began

    def leave(self, now: float) -> float:
        """The seconds that it was taken."""
        seconds = now - self._began
        self._level.leave(self._queue, self.width, seconds)
        return seconds


class Level:
    """`seats` is None where requests are exempt."""

    def __init__(self, name: str) -> None:
        self.name, self.uid = name, ""
        self.seats: int | None = None
        self.shares = 0
        self.in_use = self.executing = self.waiting = 0
        self._queues: dict[int, _Queue] = {}
        self._hands: dict[str, tuple[int, ...]] = {}
        self._count = self._hand_size = self._length = 0
        self._now = 0.0

    def configure(self, obj: Json) -> None:
        """As its object says; who waits goes on waiting. The seats follow, by the shares of all."""
        self.uid = obj["metadata"].get("uid", "")
        limited = obj["spec"].get("limited")
        self.shares = 0 if limited is None else limited.get("nominalConcurrencyShares", 30)
        queuing = ((limited or {}).get("limitResponse") or {}).get("queuing") or {}
        shape = (queuing.get("queues", 0), queuing.get("handSize", 0), queuing.get("queueLengthLimit", 0))
        if shape != (self._count, self._hand_size, self._length):
            self._count, self._hand_size, self._length = shape
            self._hands.clear()

    async def enter(self, flow: str, width: int) -> Seat:
        """Wait for a seat. Raises Rejected."""
        loop = asyncio.get_running_loop()
        if self.seats is None:
            self._sit(None, width)
            return Seat(self, None, width, loop.time())
        width = min(width, max(self.seats, 1))
        if not self._count:
            if self.in_use + width > self.seats:
                raise Rejected("concurrency-limit")
            self._sit(None, width)
            return Seat(self, None, width, loop.time())
        queue = self._queue_of(flow)
        if self.waiting or self.in_use + width > self.seats:
            await self._wait(queue, width, loop)
        else:
            self._sit(queue, width)
        return Seat(self, queue, width, loop.time())

    async def _wait(self, queue: _Queue, width: int, loop: asyncio.AbstractEventLoop) -> None:
        if len(queue.waiting) >= self._length:
            raise Rejected("queue-full")
        place = (loop.create_future(), width)
        queue.waiting.append(place)
        self.waiting += 1
        timer = loop.call_later(LONGEST, self._give_up, queue, place)
        try:
            await place[0]
        except asyncio.CancelledError:
            if place in queue.waiting:
                self._drop(queue, place)
            elif not place[0].cancelled():
                self.leave(queue, width, 0.0)
            raise
        finally:
            timer.cancel()

    def _give_up(self, queue: _Queue, place: tuple[asyncio.Future[None], int]) -> None:
        if place in queue.waiting:
            self._drop(queue, place)
            place[0].set_exception(Rejected("time-out"))

    def _drop(self, queue: _Queue, place: tuple[asyncio.Future[None], int]) -> None:
        queue.waiting.remove(place)
        self.waiting -= 1

    def _sit(self, queue: _Queue | None, width: int) -> None:
        self.in_use += width
        self.executing += 1
        if queue is not None:
            queue.serving += 1
            queue.served += width * GUESS

    def leave(self, queue: _Queue | None, width: int, seconds: float) -> None:
        """Seats are free again: the next of who waited least often, or least long, takes them."""
        self.in_use -= width
        self.executing -= 1
        if queue is not None:
            queue.serving -= 1
            queue.served += width * (seconds - GUESS)
            self.seat_more()

    def seat_more(self) -> None:
        """As many of those who wait as there are seats."""
        while self.waiting and self.seats is not None:
            queue = min((one for one in self._queues.values() if one.waiting), key=lambda one: one.served)
            place, width = queue.waiting[0]
            if self.in_use + min(width, max(self.seats, 1)) > self.seats:
                return
            queue.waiting.popleft()
            self.waiting -= 1
            self._now = max(self._now, queue.served)
            self._sit(queue, width)
            if not place.done():
                place.set_result(None)

    def _queue_of(self, flow: str) -> _Queue:
        """Of the few queues that are this flow's, the one with the least in it: who floods one leaves others the rest."""
        hand = self._hands.get(flow)
        if hand is None:
            if len(self._hands) >= HANDS:
                self._hands.clear()
            hand = self._hands[flow] = deal(flow, self._count, self._hand_size)
        best: _Queue | None = None
        for number in hand:
            queue = self._queues.get(number)
            if queue is None:
                queue = self._queues[number] = _Queue()
            if best is None or len(queue.waiting) + queue.serving < len(best.waiting) + best.serving:
                best = queue
        assert best is not None
        if not best.waiting and not best.serving:
            best.served = max(best.served, self._now)  # what was not used is not saved up
        return best


def deal(flow: str, queues: int, hand: int) -> tuple[int, ...]:
    """`hand` different numbers below `queues`, always the same for a flow."""
    number = int.from_bytes(hashlib.blake2b(flow.encode(), digest_size=64).digest(), "big")
    left = list(range(queues)) if queues <= 4096 else []
    dealt: list[int] = []
    while len(dealt) < min(hand, queues):
        number, at = divmod(number, queues - len(dealt) if left else queues)
        if left:
            dealt.append(left.pop(at))
        elif at not in dealt:
            dealt.append(at)
        if not number:
            number = int.from_bytes(hashlib.blake2b(f"{flow}{len(dealt)}".encode(), digest_size=64).digest(), "big")
    return tuple(dealt)
