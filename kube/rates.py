"""Token buckets: how often something may happen, a bounded number of callers apart."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable


class Bucket:
    """Holds up to `burst` tokens and gets `rate` new ones a second; full at first. Times are seconds of any one clock."""

    __slots__ = ("at", "burst", "rate", "tokens")

    def __init__(self, burst: float, rate: float, at: float) -> None:
        self.burst, self.rate, self.tokens, self.at = burst, rate, burst, at

    def take(self, at: float) -> bool:
        """Take a token; whether there was one."""
        self.tokens, self.at = min(self.tokens + (at - self.at) * self.rate, self.burst), at
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Buckets:
    """A bucket for each key; of more than `limit` keys the one that was not asked for longest is forgotten."""

    def __init__(self, burst: float, rate: float, limit: int) -> None:
        self._burst, self._rate, self._limit = burst, rate, limit
        self._known: OrderedDict[Hashable, Bucket] = OrderedDict()

    def take(self, key: Hashable, at: float) -> bool:
        """Take a token of this key's bucket; whether there was one."""
        bucket = self._known.get(key)
        if bucket is None:
            bucket = self._known[key] = Bucket(self._burst, self._rate, at)
            if len(self._known) > self._limit:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return bucket.take(at)

    def __len__(self) -> int:
        return len(self._known)
