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
import threading
import time
from typing import TYPE_CHECKING

from controllers.election import LEASE_SECONDS, Election, lives
from controllers.feeder import Feeder
from controllers.runtime import Runtime
from controllers.workqueue import drop_lease, hold_lease, is_unreachable, poll, recover, workers

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger(__name__)

INTERVAL = 0.5
SHORTEST_WAIT = 0.002


class Ticker:
    """Runs in a thread of each worker process."""

    def __init__(self, redis: Redis, role: str, worker: str, runtime: Runtime, feeder: Feeder) -> None:
        self._redis, self._worker = redis, worker
        self._runtime, self._feeder = runtime, feeder
        self._election = Election(redis, f"feeder:{role}", worker)
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
        self._election.resign()

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
                    log.warning("work queues stand still: %s", error, exc_info=not is_unreachable(error))
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
        # Workers of this host whose process is gone need no six seconds to be declared dead.
        dead = [worker for worker in workers(self._redis) if worker != self._worker and not lives(worker)]
        for worker in dead:
            drop_lease(self._redis, worker)
        if dead:
            for queue in self._runtime.queues.values():
                queue.forget_wake()
        leading = self._election.campaign()
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
