"""The pulse of a worker: leases, feeder leadership, delayed keys, and recovery from a killed worker or a lost Redis.

Every `interval` (sooner when a delayed key is due) it
1. says that this worker lives, and keeps or takes the leadership of its role's feeder;
2. resyncs when it leads and Redis is another one than before (`run_id`), so an empty Redis is filled again;
3. takes back keys held by workers without a lease;
4. sends a wake-up for each queue that has ready keys and none under way.
Each step is safe to repeat and to run in several processes at once.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from controllers.feeder import Feeder
from controllers.runtime import Runtime
from controllers.workqueue import drop_lease, hold_lease, poll, recover, workers

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger(__name__)

INTERVAL = 0.5
LEASE_SECONDS = 6.0
SHORTEST_WAIT = 0.002

# KEYS: lock; ARGV: worker, ttl ms -> 1 when this worker holds the lock
_LEAD = """
local holder = redis.call('GET', KEYS[1])
if not holder then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
end
if holder == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 1
end
return 0
"""


def worker_id() -> str:
    """An id of this process that tells host and pid, so that a successor on the same host can see that it is dead."""
    return f"{_place()}:{os.getpid()}:{os.urandom(4).hex()}"


def _place() -> str:
    """Where a pid means something: the host and its pid namespace."""
    try:
        return socket.gethostname() + "/" + os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:  # not Linux: one pid namespace
        return socket.gethostname()


class Ticker:
    """Runs in a thread of each worker process."""

    def __init__(self, redis: Redis, role: str, worker: str, runtime: Runtime, feeder: Feeder) -> None:
        self._redis, self._worker = redis, worker
        self._runtime, self._feeder = runtime, feeder
        self._lock_name = f"binnacle:feeder:{role}"
        self._lead = redis.register_script(_LEAD)
        self._run_id = ""
        self._aim = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)
        self._next_beat = 0.0
        self._ticked = time.monotonic()
        runtime.on_delay(self._aim.set)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread and give up lease and leadership, so that a successor starts at once."""
        self._stopping = True
        self._aim.set()
        self._thread.join(5)
        drop_lease(self._redis, self._worker)
        if self._redis.get(self._lock_name) == self._worker:
            self._redis.delete(self._lock_name)

    @property
    def age(self) -> float:
        """Seconds since the last pulse that went well."""
        return time.monotonic() - self._ticked

    def _run(self) -> None:
        failed = False
        while not self._stopping:
            wait = INTERVAL
            try:
                wait = self.tick()
                self._ticked = time.monotonic()
                if failed:
                    log.info("Redis answers again")
                failed = False
            except Exception as error:  # the pulse must go on; Redis is usually what is missing
                if not failed:
                    log.warning("work queues stand still: %s", error, exc_info=not _is_connection(error))
                failed = True
                self._next_beat = 0.0
            self._aim.wait(wait)
            self._aim.clear()

    def tick(self) -> float:
        """One pulse. Returns the seconds until the next one is needed."""
        now = time.monotonic()
        if now >= self._next_beat:
            self._beat()
            self._next_beat = now + INTERVAL
        wait = INTERVAL
        queues = self._runtime.queues
        for name, state in zip(queues, poll(self._redis, list(queues.values())), strict=True):
            if state.wake:
                self._runtime.wake(name)
            elif state.due is not None:
                wait = min(wait, state.due - time.time())
        return max(wait, SHORTEST_WAIT)

    def _beat(self) -> None:
        hold_lease(self._redis, self._worker, LEASE_SECONDS)
        self._bury_dead()
        leading = bool(self._lead(keys=[self._lock_name], args=[self._worker, int(LEASE_SECONDS * 1000)]))
        run_id = self._redis.info("server")["run_id"]
        if leading and self._run_id not in ("", run_id):
            log.warning("Redis was restarted, adding all keys again")
            self._feeder.resync()
        self._feeder.lead(leading)
        self._run_id = run_id
        queues = self._runtime.queues
        for name, count in zip(queues, recover(self._redis, self._worker, list(queues.values())), strict=True):
            if count:
                log.warning("%s: took back %d keys that a worker held and did not finish", name, count)
        for name, queue in queues.items():
            self._runtime.durations[name].flush(self._redis, queue.name)
        self._feeder.catch_up()

    def _bury_dead(self) -> None:
        """Workers of this host whose process is gone need no six seconds to be declared dead."""
        for worker in workers(self._redis):
            if worker != self._worker and not _lives(worker):
                drop_lease(self._redis, worker)
        holder: Any = self._redis.get(self._lock_name)
        if holder and holder != self._worker and not _lives(holder):
            self._redis.delete(self._lock_name)
            for queue in self._runtime.queues.values():
                queue.forget_wake()


def _lives(worker: str) -> bool:
    """False only if the worker ran on this host and its process is gone."""
    place, pid, _ = worker.rsplit(":", 2)
    if place != _place():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_connection(error: Exception) -> bool:
    from redis import RedisError

    return isinstance(error, RedisError)
