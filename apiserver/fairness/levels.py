"""Priority levels at work: so many seats, and queues for who finds none free, each with its turn.

A level has seats of its own, lends of them what it does not use, down to `least`, and borrows up to `most`. One flow never
has more than its level's own seats: what is borrowed is for the others (docs/adr/0016).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kube.objects import Json

LONGEST = 15.0  # seconds that a request waits for a seat
GUESS = 0.003  # seconds that a request takes, until it is known
HANDS = 10_000  # flows of which it is remembered which queues are theirs


class Rejected(Exception):
    """No seat, and no place to wait for one: `reason` as Kubernetes' metrics name it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(eq=False, slots=True)
class _Place:
    """Of one request that waits."""

    flow: str
    width: int
    turn: asyncio.Future[None]


class _Queue:
    """Requests that wait. `served` is the virtual time up to which its flows had their share; the least is next."""

    __slots__ = ("served", "serving", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[_Place] = deque()
        self.served = 0.0
        self.serving = 0


class Seat:
    """One request at work; `leave` gives its seats back."""

    __slots__ = ("_began", "_flow", "_level", "_queue", "width")

    def __init__(self, level: Level, queue: _Queue | None, flow: str, width: int, began: float) -> None:
        self._level, self._queue, self._flow, self.width, self._began = level, queue, flow, width, began

    def leave(self, now: float) -> float:
        """The seconds that it was taken."""
        seconds = now - self._began
        self._level.leave(self._queue, self._flow, self.width, seconds)
        return seconds


class Hall:
    """The seats of all levels."""

    def __init__(self) -> None:
        self.levels: list[Level] = []
        self.total = 0

    def seat(self, levels: Iterable[Level]) -> None:
        """These are the levels from now on; others stay until who waits or works there is done."""
        there = list(levels)
        self.total = sum(level.seats for level in there)
        self.levels = [*there, *(one for one in self.levels if one not in there and (one.waiting or one.executing))]
        self.seat_more()

    def seat_more(self) -> None:
        """As many of those who wait as there are seats; first where the smallest part of a level's own seats is taken."""
        for level in sorted((one for one in self.levels if one.waiting), key=lambda one: one.in_use / (one.seats or 1)):
            level.seat_more()


class Level:
    """`seats` are its own; `exempt`: requests take seats, and wait for none."""

    def __init__(self, name: str, hall: Hall) -> None:
        self.name, self.uid = name, ""
        self.exempt = False
        self.shares = self.seats = self.least = self.most = 0
        self.in_use = self.executing = self.waiting = 0
        self._hall = hall
        self._lendable = 0  # of a hundred of its own seats
        self._borrowing: int | None = None
        self._held: dict[str, list[int]] = {}  # requests at work and their seats, of each flow that has some
        self._queues: dict[int, _Queue] = {}
        self._hands: dict[str, tuple[int, ...]] = {}
        self._count = self._hand_size = self._length = 0
        self._now = 0.0

    def configure(self, obj: Json) -> None:
        """As its object says; who waits goes on waiting. The seats follow, by the shares of all."""
        self.uid = obj["metadata"].get("uid", "")
        spec = obj["spec"]
        self.exempt = spec.get("type") == "Exempt"
        said = spec.get("exempt" if self.exempt else "limited") or {}
        self.shares = said.get("nominalConcurrencyShares", 0 if self.exempt else 30)
        self._lendable = said.get("lendablePercent", 0)
        self._borrowing = said.get("borrowingLimitPercent")
        queuing = (said.get("limitResponse") or {}).get("queuing") or {}
        shape = (queuing.get("queues", 0), queuing.get("handSize", 0), queuing.get("queueLengthLimit", 0))
        if shape != (self._count, self._hand_size, self._length):
            self._count, self._hand_size, self._length = shape
            self._hands.clear()

    def share(self, seats: int, total: int) -> None:
        """It has so many of all seats of its own."""
        self.seats = seats
        self.least = seats - round(seats * self._lendable / 100)
        self.most = total if self._borrowing is None else min(total, seats + round(seats * self._borrowing / 100))

    @property
    def claimed(self) -> int:
        """Seats that no other level may have now."""
        return max(self.in_use, self.least)

    @property
    def limit(self) -> int:
        """Seats that it may have now: its own, without those that others have, and what it may have of others'."""
        others = sum(level.claimed for level in self._hall.levels if level is not self)
        return max(self.least, min(self.most, self._hall.total - others))

    async def enter(self, flow: str, width: int) -> Seat:
        """Wait for a seat. Raises Rejected."""
        loop = asyncio.get_running_loop()
        width = width if self.exempt else min(width, max(self.seats, 1))
        queue = self._queue_of(flow) if self._count else None
        if self.exempt or (not self.waiting and self._fits(width) and self._may_have(flow, width)):
            self._sit(queue, flow, width)
        elif queue is None:
            raise Rejected("concurrency-limit")
        else:
            await self._wait(queue, flow, width, loop)
        return Seat(self, queue, flow, width, loop.time())

    def _fits(self, width: int) -> bool:
        """Whether there is room; what is too wide has it where nothing else is at work."""
        limit = self.limit
        return self.in_use + width <= limit or (not self.in_use and limit > 0)

    def _may_have(self, flow: str, width: int) -> bool:
        held = self._held.get(flow)
        return held is None or held[1] + width <= self.seats

    def flows(self) -> Iterator[tuple[str, tuple[int, int, int]]]:
        """The requests of each flow that are at work, their seats, and those that wait."""
        for flow, (requests, seats) in self._held.items():
            yield flow, (requests, seats, 0)
        for queue in self._queues.values():
            for place in queue.waiting:
                yield place.flow, (0, 0, 1)

    async def _wait(self, queue: _Queue, flow: str, width: int, loop: asyncio.AbstractEventLoop) -> None:
        if len(queue.waiting) >= self._length:
            raise Rejected("queue-full")
        place = _Place(flow, width, loop.create_future())
        queue.waiting.append(place)
        self.waiting += 1
        self.seat_more()  # others may wait for their own flows' seats alone
        timer = loop.call_later(LONGEST, self._give_up, queue, place)
        try:
            await place.turn
        except asyncio.CancelledError:
            if place in queue.waiting:
                self._drop(queue, place)
            elif not place.turn.cancelled() and place.turn.exception() is None:
                self.leave(queue, flow, width, 0.0)
            raise
        finally:
            timer.cancel()

    def _give_up(self, queue: _Queue, place: _Place) -> None:
        if place in queue.waiting:
            self._drop(queue, place)
            place.turn.set_exception(Rejected("time-out"))

    def _drop(self, queue: _Queue, place: _Place) -> None:
        queue.waiting.remove(place)
        self.waiting -= 1

    def _sit(self, queue: _Queue | None, flow: str, width: int) -> None:
        self.in_use += width
        self.executing += 1
        held = self._held.setdefault(flow, [0, 0])
        held[0] += 1
        held[1] += width
        if queue is not None:
            queue.serving += 1
            queue.served += width * GUESS

    def leave(self, queue: _Queue | None, flow: str, width: int, seconds: float) -> None:
        """Seats are free again: the next of who waited least often, or least long, takes them."""
        self.in_use -= width
        self.executing -= 1
        held = self._held[flow]
        held[0] -= 1
        held[1] -= width
        if not held[0]:
            del self._held[flow]
        if queue is not None:
            queue.serving -= 1
            queue.served += width * (seconds - GUESS)
        self._hall.seat_more()

    def seat_more(self) -> None:
        """As many of those who wait as there are seats."""
        while self.waiting:
            ready = [queue for queue in self._queues.values() if queue.waiting and self._may_be_next(queue.waiting[0])]
            queue = min(ready, key=lambda one: one.served, default=None)
            if queue is None:
                return
            place = queue.waiting[0]
            left = place.turn.done()
            if not left and not self._fits(min(place.width, max(self.seats, 1))):
                return  # it has the next that are free, however wide it is
            queue.waiting.popleft()
            self.waiting -= 1
            if not left:
                self._now = max(self._now, queue.served)
                self._sit(queue, place.flow, place.width)
                place.turn.set_result(None)

    def _may_be_next(self, place: _Place) -> bool:
        """Of a client that has left too: he is passed over."""
        return place.turn.done() or self._may_have(place.flow, place.width)

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
