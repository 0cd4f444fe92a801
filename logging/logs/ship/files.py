"""The files of one log: the live one and its rotated ones, and what makes a file the same file under another name."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from hashlib import blake2b
from typing import IO, NamedTuple

HEAD = 512
_NUMBER = re.compile(r"\.(\d{1,4})(?:\.gz)?$")


class Found(NamedTuple):
    """A file of a log, as it is now. `identity` is empty while too little is in it to know it again."""

    path: str
    inode: int
    head: bytes
    identity: str
    live: bool


def identify(head: bytes) -> str:
    """A file is the same as long as its first line is: names change, inodes are used again, and gzip changes both.

    The first line of a container's file begins with a time in nanoseconds.
    """
    return blake2b(head, digest_size=12).hexdigest()


def head_of(data: bytes, final: bool) -> bytes:
    """What identifies a file that begins with `data`: the first line, up to HEAD bytes; nothing while it is not whole."""
    end = data.find(b"\n", 0, HEAD)
    if end >= 0:
        return data[: end + 1]
    return data[:HEAD] if len(data) >= HEAD or final else b""


def listed(live: str) -> list[str]:
    """The paths of a log's files, oldest first, the live one last (whether it is there or not)."""
    folder, base = os.path.split(live)
    try:
        names = os.listdir(folder)
    except OSError:
        return [live]
    rotated = [name for name in names if name.startswith(base + ".") and not name.endswith(".tmp")]
    return [os.path.join(folder, name) for name in sorted(rotated, key=_age)] + [live]


def _age(name: str) -> tuple[int, str]:
    """Sorts `.1` after `.2`; times in names sort as they are, with or without `.gz`."""
    number = _NUMBER.search(name)
    return (-int(number[1]), "") if number else (0, name.removesuffix(".gz"))


def found(live: str) -> list[Found]:
    """The log's files with their identities, oldest first; a file and its compressed copy are one."""
    result: list[Found] = []
    for path in listed(live):
        entry = look(path, path == live)
        if entry is not None and (entry.live or all(entry.identity != other.identity for other in result)):
            result.append(entry)
    return result


def look(path: str, live: bool) -> Found | None:
    """One file; None when it is not there, cannot be read, or is empty and will stay so."""
    try:
        with opened(path) as file:
            inode = os.fstat(file.fileno()).st_ino
            head = head_of(file.read(HEAD), final=not live)
    except (OSError, EOFError, zlib.error):
        return None
    if not head and not live:
        return None
    return Found(path, inode, head, identify(head) if head else "", live)


def opened(path: str) -> IO[bytes]:
    """The file for reading; of a `.gz` its content."""
    if path.endswith(".gz"):
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return open(path, "rb", buffering=0)
