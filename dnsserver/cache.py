"""Two caches: packed answers of the cluster's own names, and replies of upstream servers. Both are bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dnsserver.records import Name
from dnsserver.wire import Reply

MAX_ANSWERS, MAX_REPLIES = 10_000, 10_000
MAX_BYTES = 8 << 20  # of answers, together

Key = tuple[bytes, bool, bool]  # question with its name in lower case, DO, CD


class Entry:
    """Packed answers to one packet, without the two bytes of its number; in turn, so that load spreads."""

    __slots__ = ("about", "hits", "service", "size", "tails")

    def __init__(self, tails: list[bytes], service: Name, about: object) -> None:
        self.tails, self.service, self.about = tails, service, about
        self.hits = 0
        self.size = sum(map(len, tails))


class AnswerCache:
    """By the packet after its number: exact, so the asker's letters, flags and EDNS are part of it.

    `fold(about, hits)` is called when an entry goes, and by `fold_all`: hits are counted where they happen and added up
    later.
    """

    def __init__(self, fold: Callable[[object, int], None]) -> None:
        self.entries: dict[bytes, Entry] = {}
        self._by_service: dict[Name, set[bytes]] = {}
        self._fold, self._bytes = fold, 0

    def put(self, key: bytes, entry: Entry) -> None:
        self._remove(key)
        while self.entries and (len(self.entries) >= MAX_ANSWERS or self._bytes + entry.size > MAX_BYTES):
            self._remove(next(iter(self.entries)))
        self.entries[key] = entry
        self._by_service.setdefault(entry.service, set()).add(key)
        self._bytes += entry.size

    def drop(self, service: Name) -> None:
        """Forget the answers about one service."""
        for key in self._by_service.pop(service, ()):
            self._remove(key)

    def clear(self) -> None:
        for key in list(self.entries):
            self._remove(key)

    def _remove(self, key: bytes) -> None:
        entry = self.entries.pop(key, None)
        if entry is None:
            return
        self._fold(entry.about, entry.hits)
        self._bytes -= entry.size
        keys = self._by_service.get(entry.service)
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._by_service[entry.service]

    def fold_all(self) -> None:
        for entry in self.entries.values():
            hits, entry.hits = entry.hits, 0
            self._fold(entry.about, hits)


@dataclass(frozen=True, slots=True)
class Kept:
    """A reply, when it came and until when it is good; seconds of the monotonic clock."""

    reply: Reply
    since: float
    until: float


class ReplyCache:
    """Replies by question."""

    def __init__(self) -> None:
        self._kept: dict[Key, Kept] = {}

    def get(self, key: Key, now: float) -> Kept | None:
        kept = self._kept.get(key)
        if kept is not None and kept.until <= now:
            del self._kept[key]
            return None
        return kept

    def put(self, key: Key, reply: Reply, now: float, seconds: float) -> None:
        self._kept.pop(key, None)
        if len(self._kept) >= MAX_REPLIES:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = Kept(reply, now, now + seconds)

    def clear(self) -> None:
        self._kept.clear()

    def sizes(self) -> Iterator[tuple[str, int]]:
        """(kind, entries) as CoreDNS tells them apart: success, denial."""
        denials = sum(denies(kept.reply) for kept in self._kept.values())
        yield "success", len(self._kept) - denials
        yield "denial", denials


def denies(reply: Reply) -> bool:
    """Whether a reply says that there is nothing."""
    return reply.rcode != 0 or not any(section == 0 for section, *_ in reply.records)
