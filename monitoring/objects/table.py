"""The rendered pieces of many objects, laid out so that a scrape has little to join.

Objects share blocks. A block holds one text a family, in which each object's piece stands at its place: a change cuts out the
old piece and puts in the new one. So a scrape of 10,000 objects joins some thousand texts, not half a million pieces.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence

SIZE = 64  # objects a block: more make a scrape cheaper and a change dearer


class Table:
    """Pieces by object, each object with one piece for each of `families` families."""

    def __init__(self, families: int) -> None:
        self._families = families
        self._blocks: list[_Block] = []
        self._slots: dict[str, int] = {}
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._slots)

    def put(self, uid: str, pieces: Sequence[bytes]) -> None:
        """Add an object, or replace its pieces."""
        slot = self._slots.get(uid)
        if slot is None:
            if not self._free:
                start = len(self._blocks) * SIZE
                self._blocks.append(_Block(self._families))
                self._free = list(range(start + SIZE - 1, start - 1, -1))
            slot = self._slots[uid] = self._free.pop()
        self._blocks[slot // SIZE].put(slot % SIZE, pieces)

    def drop(self, uid: str) -> None:
        slot = self._slots.pop(uid, None)
        if slot is not None:
            self._blocks[slot // SIZE].put(slot % SIZE, [b""] * self._families)
            self._free.append(slot)

    def retain(self, uids: Collection[str]) -> None:
        """Drop all objects but these."""
        for uid in [uid for uid in self._slots if uid not in uids]:
            self.drop(uid)

    def column(self, family: int) -> list[bytes]:
        """The texts of one family, to be joined."""
        return [text for block in self._blocks if (text := block.texts[family])]


class _Block:
    """`texts` by family, and how long the piece of each object is in it; None where all are empty."""

    __slots__ = ("_lengths", "texts")

    def __init__(self, families: int) -> None:
        self.texts = [b""] * families
        self._lengths: list[array[int] | None] = [None] * families

    def put(self, at: int, pieces: Sequence[bytes]) -> None:
        for family, piece in enumerate(pieces):
            lengths = self._lengths[family]
            if lengths is None:
                if not piece:
                    continue
                lengths = self._lengths[family] = array("I", bytes(4 * SIZE))
            text, start = self.texts[family], sum(lengths[:at])
            end = start + lengths[at]
            if text[start:end] != piece:
                self.texts[family] = b"".join([text[:start], piece, text[end:]])
                lengths[at] = len(piece)
