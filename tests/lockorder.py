"""Which lock was taken while which other was held: two that are taken in both orders can stop a process for ever."""

from __future__ import annotations

import sys
import threading
from collections import defaultdict
from types import FrameType
from typing import Any

import pytest


class LockOrder:
    """From now on locks are watched; `circles()` names what was taken in a circle, whether or not anybody waited."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.within: defaultdict[str, set[str]] = defaultdict(set)
        self._held = threading.local()
        for kind in ("Lock", "RLock"):
            monkeypatch.setattr(threading, kind, self._maker(getattr(threading, kind)))

    def _maker(self, make: Any) -> Any:
        return lambda: Watched(self, make(), _made_at(sys._getframe(1)))

    def watched(self, lock: Any, name: str) -> Watched:
        """A lock that was made before."""
        return Watched(self, lock, name)

    def wanted(self, lock: Watched) -> None:
        for other in self.held:
            if other is not lock:
                self.within[other.name].add(lock.name)

    @property
    def held(self) -> list[Watched]:
        found: list[Watched] = self._held.__dict__.setdefault("locks", [])
        return found

    def circles(self) -> list[str]:
        return [name for name in self.within if name in self._below(name)]

    def _below(self, name: str) -> set[str]:
        found, ahead = set[str](), [name]
        while ahead:
            for inner in self.within.get(ahead.pop(), set()) - found:
                found.add(inner)
                ahead.append(inner)
        return found


class Watched:
    """A lock that tells when it is wanted; of those made at one place, and so with one name, any two are alike."""

    def __init__(self, order: LockOrder, lock: Any, name: str) -> None:
        self._order, self._lock, self.name = order, lock, name

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if blocking and timeout < 0:  # who does not wait for ever hangs nobody
            self._order.wanted(self)
        taken = bool(self._lock.acquire(blocking, timeout))
        if taken:
            self._order.held.append(self)
        return taken

    def release(self) -> None:
        self._lock.release()
        held = self._order.held
        del held[len(held) - 1 - held[::-1].index(self)]

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lock, name)


def _made_at(frame: FrameType | None) -> str:
    while frame is not None and frame.f_globals.get("__name__") in ("threading", "queue", "concurrent.futures._base"):
        frame = frame.f_back
    return f"{frame.f_globals.get('__name__')}:{frame.f_lineno}" if frame is not None else ""
