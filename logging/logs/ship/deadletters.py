"""Documents that the store refuses for good, kept aside with the reason: two files of bounded size."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import orjson

from logs.record import Document

MAX_BYTES = 10 * 1024 * 1024


class DeadLetters:
    """`rejected.ndjson` and, older, `rejected.ndjson.1`; a third would be, and is removed."""

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = folder / "rejected.ndjson"
        self._max = max_bytes

    def add(self, rejected: Iterable[tuple[Document, str]]) -> None:
        """Raises OSError when they cannot be written: then they must not count as done."""
        data = b"".join(
            b'{"reason":' + orjson.dumps(reason) + b',"document":' + document.line + b"}\n"
            for document, reason in rejected
        )
        if self.path.exists() and self.path.stat().st_size + len(data) > self._max:
            os.replace(self.path, f"{self.path}.1")
        with open(self.path, "ab") as file:
            start = file.tell()
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self.path, start)
                raise
