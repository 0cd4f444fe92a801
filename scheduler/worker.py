"""The scheduler in a worker of the role `scheduler`: of several such workers one schedules, the others stand by.

It is driven by its own queue alone (`scheduler.queue`): a change in the cluster, or a back-off that is over, is what it
waits for. What it knows it takes from the cache when it comes to lead, so any worker can take over at any moment.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from cluster.cache import Cache
from controllers.election import Election
from controllers.worker import LATE, Service
from controllers.workqueue import is_unreachable
from scheduler.metrics import METRICS
from scheduler.service import Scheduler

log = logging.getLogger(__name__)

PULSE = 0.5  # seconds between two looks at the lead, at most
TURN = 1.0  # seconds of scheduling after which the lead is looked at again
GATHER = 0.01  # seconds between two turns at least: what changes in a burst is looked at together
LONGEST_PAUSE = 5.0  # seconds after failures in a row


class Turns:
    """Schedules while it leads, from a thread of its own. The lead is renewed between turns: who hangs loses it."""

    def __init__(self, session: Any, cache: Cache, election: Election) -> None:
        self._session, self._cache, self._election = session, cache, election
        self._scheduler: Scheduler | None = None
        self._wanted, self._stopping = threading.Event(), threading.Event()
        self._next_pulse, self._looked = 0.0, time.monotonic()
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the present turn, and give the lead up."""
        self._stopping.set()
        self._wanted.set()
        self._thread.join(5)
        self._stand_by()
        self._election.resign()

    @property
    def leads(self) -> bool:
        return self._scheduler is not None

    @property
    def age(self) -> float:
        """Seconds since the last turn that went well."""
        return time.monotonic() - self._looked

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                wait = self.turn()
                self._failures, self._looked = 0, time.monotonic()
            except Exception as error:  # Redis is away, or the store; whatever it is, it is tried again from the start
                log.error("the scheduler begins anew: %s", error, exc_info=None if is_unreachable(error) else error)
                self._stand_by()
                self._next_pulse = 0.0
                self._failures += 1
                self._stopping.wait(min(0.1 * 2**self._failures, LONGEST_PAUSE))
                continue
            self._stopping.wait(GATHER)
            self._wanted.wait(wait)
            self._wanted.clear()

    def turn(self) -> float:
        """Schedule for a while if this process leads. Returns the seconds until the next turn is needed."""
        if time.monotonic() >= self._next_pulse:
            leads = self._election.campaign()
            self._next_pulse = time.monotonic() + PULSE
            if leads and self._scheduler is None:
                log.info("this process schedules")
                self._scheduler = Scheduler(self._session, self._cache, changed=self._wanted.set)
            elif not leads and self._scheduler is not None:
                log.warning("another process schedules now")
                self._stand_by()
        if self._scheduler is None:
            return PULSE
        due = self._scheduler.run(TURN)
        return PULSE if due is None else min(due, PULSE)

    def _stand_by(self) -> None:
        if self._scheduler is not None:
            self._scheduler.close()
            self._scheduler = None


class SchedulerService(Service):
    """The scheduler's part of a worker."""

    role, metrics = "scheduler", METRICS

    def __init__(self) -> None:
        super().__init__()
        election = Election(self.redis, self.role, self.worker)
        self._turns = Turns(self.session("system:kube-scheduler"), self.cache, election)

    def begin(self) -> None:
        self._turns.start()

    def end(self) -> None:
        self._turns.stop()

    def late(self) -> str:
        age = self._turns.age
        return f"the scheduler last looked at its queue {age:.0f} s ago" if age > LATE else ""
