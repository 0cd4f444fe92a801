"""Who of several processes leads: one that feeds the work queues, one that schedules.

The lead is a Redis key that expires: whoever holds it renews it with each `campaign`, and loses it `LEASE_SECONDS` after
the last one. A holder of this host whose process is gone is not waited for.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis import Redis

LEASE_SECONDS = 6.0

# KEYS: lead; ARGV: worker, ttl ms, a holder known to be dead or '' -> who leads now
_CAMPAIGN = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and holder ~= ARGV[3] then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
"""

# KEYS: lead; ARGV: worker
_RESIGN = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""


class Election:
    """The lead of `name`, as the process `worker` (a `worker_id`) stands for it. Errors: `redis.RedisError`."""

    def __init__(self, redis: Redis, name: str, worker: str, seconds: float = LEASE_SECONDS) -> None:
        self._key, self._worker, self._ttl = f"binnacle:lead:{name}", worker, int(seconds * 1000)
        self._campaign = redis.register_script(_CAMPAIGN)
        self._resign = redis.register_script(_RESIGN)

    def campaign(self) -> bool:
        """Keep the lead, or take it when nobody has it; whether this process leads for the next `seconds`."""
        holder = self._campaign(keys=[self._key], args=[self._worker, self._ttl, ""])
        if holder != self._worker and not lives(holder):
            holder = self._campaign(keys=[self._key], args=[self._worker, self._ttl, holder])
        return bool(holder == self._worker)

    def resign(self) -> None:
        """Give the lead up, so that a successor has it at once."""
        self._resign(keys=[self._key], args=[self._worker])


def worker_id() -> str:
    """An id of this process that tells host and pid, so that a successor on the same host can see that it is dead."""
    return f"{place()}:{os.getpid()}:{os.urandom(4).hex()}"


def place() -> str:
    """Where a pid means something: the host and its pid namespace."""
    try:
        return socket.gethostname() + "/" + os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:  # not Linux: one pid namespace
        return socket.gethostname()


def lives(worker: str) -> bool:
    """False only if the worker ran on this host and its process is gone."""
    where, pid, _ = worker.rsplit(":", 2)
    if where != place():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
