"""Hints over Redis that the log grew. A hint may be lost: every reader also looks by itself once a second."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from client import keyvalue

log = logging.getLogger(__name__)
_local = threading.local()

# After a failure no hint is tried for this long, so that a hanging Redis cannot slow down every commit.
PAUSE = 1.0


def channel(cluster: int) -> str:
    return f"binnacle:{cluster}:revision"


def connect(timeout: float = 0.2) -> Any:
    """A Redis client of this installation, None when none is configured (single-process tests)."""
    url = keyvalue.address()
    if not url:
        return None
    import redis

    return redis.Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout)


def publish(cluster: int, revision: int) -> None:
    """Tell readers that the log reaches `revision`. Never fails: a lost hint costs a second."""
    if time.monotonic() < getattr(_local, "paused_until", 0.0):
        return
    client = getattr(_local, "client", None)
    if client is None:
        client = _local.client = connect()
    if client is None:
        return
    try:
        client.publish(channel(cluster), str(revision))
    except Exception as error:  # whatever ails Redis: readers poll anyway
        _local.paused_until = time.monotonic() + PAUSE
        log.debug("hint lost: %s", error)
