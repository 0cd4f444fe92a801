"""The log of a process of ours: lines on stderr, without what looks like a credential."""

from __future__ import annotations

import logging

import environment
from kube.redact.text import clean

LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Redacted(logging.Formatter):
    """What another formatter makes, redacted: the message with its arguments, and the traceback."""

    def __init__(self, inner: logging.Formatter | None = None, format: str = LINE) -> None:
        super().__init__()
        self._inner = inner or logging.Formatter(format)

    def format(self, record: logging.LogRecord) -> str:
        return clean(self._inner.format(record))


def set_up() -> None:
    """Log to stderr, from the level on that `BINNACLE_LOG_LEVEL` says; for the start of a program."""
    handler = logging.StreamHandler()
    handler.setFormatter(Redacted())
    logging.basicConfig(level=environment.LOG_LEVEL.get(), handlers=[handler])


def redact(logger: logging.Logger) -> None:
    """Redact what a logger's handlers write that somebody else has set up."""
    for handler in logger.handlers:
        if not isinstance(handler.formatter, Redacted):
            handler.setFormatter(Redacted(handler.formatter))
