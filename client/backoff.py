"""Exponential back-off with jitter."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass
class Backoff:
    """Delays in seconds: `first`, doubled up to `longest`, each stretched by up to `jitter` of itself.

    `reset()` after a success.  Jitter keeps many clients of a restarted server from coming back in one wave.
    """

    first: float = 0.25
    longest: float = 30.0
    jitter: float = 0.5
    _next: float = field(default=0.0, init=False)

    def delay(self) -> float:
        base = self._next or self.first
        self._next = min(base * 2, self.longest)
        return base * (1 + random.random() * self.jitter)

    def reset(self) -> None:
        self._next = 0.0
