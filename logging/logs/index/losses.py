"""What was dropped before its time because all took too much: counted, and remembered through restarts."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import orjson

log = logging.getLogger("logs.index")


class Losses:
    """`lines` were dropped for room, the last of them from `until` (nanoseconds; 0: none); `expired` ones by age, since the
    start. A file that cannot be read or written costs only what is told about the past."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "losses.json"
        self.lines = self.until = self.expired = 0
        try:
            found = orjson.loads(self._path.read_bytes())
            self.lines, self.until = int(found["lines"]), int(found["until"])
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be read: %s", self._path, error)

    def add(self, lines: int, until: int | None) -> None:
        """Lines up to this time were dropped for room; None: by age."""
        if until is None:
            self.expired += lines
            return
        self.lines += lines
        self.until = max(self.until, until) if lines else self.until
        made = self._path.with_suffix(".tmp")
        try:
            made.write_bytes(orjson.dumps({"lines": self.lines, "until": self.until}))
            os.replace(made, self._path)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._path, error)
