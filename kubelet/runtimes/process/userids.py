"""Ranges of user and group ids for pods with a user namespace of their own (`hostUsers: false`)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from kubelet.shim.users import COUNT

FIRST, LAST = 8, 28_671
"""Numbers of ranges: ids from 524,288 to 1,879,048,191, which systemd leaves to containers too."""


class IdRanges:
    """A pod's range is found by its uid, so that clusters side by side hardly ever meet in one."""

    def __init__(self, etc: Path = Path("/etc")) -> None:
        self._etc = etc
        self._owners: dict[int, str] = {}

    def claim(self, first: int, owner: str) -> None:
        """Notes a range that a pod already has."""
        self._owners[first] = owner

    def take(self, owner: str) -> int:
        """The first id of the pod's range: the one that it has, else a free one; OSError when there is none."""
        for first, who in self._owners.items():
            if who == owner:
                return first
        others = {number for name in ("subuid", "subgid") for number in _lent(self._etc / name)}
        count = LAST - FIRST + 1
        wanted = int.from_bytes(hashlib.blake2b(owner.encode(), digest_size=8).digest(), "big")
        for step in range(count):
            number = FIRST + (wanted + step) % count
            if number not in others and number * COUNT not in self._owners:
                self._owners[number * COUNT] = owner
                return number * COUNT
        raise OSError(f"no free range of user ids: {len(self._owners)} pods have one")

    def release(self, owner: str) -> None:
        self._owners = {first: who for first, who in self._owners.items() if who != owner}


def _lent(file: Path) -> Iterator[int]:
    """Numbers of the ranges in which ids belong to a user of this machine (subuid(5))."""
    for first, count in _entries(file):
        yield from range(max(first // COUNT, FIRST), min((first + count - 1) // COUNT, LAST) + 1)


def _entries(file: Path) -> Iterable[tuple[int, int]]:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        fields = line.split(":")
        if len(fields) == 3 and fields[1].isdecimal() and fields[2].isdecimal():
            yield int(fields[1]), int(fields[2])
