"""Where Celery meets the controllers: one task that drains a queue, and the start of feeder and ticker with the worker.

A role is the Celery queue that a worker consumes (`controllers` or `scheduler`); each role has its own controllers and
its own feeder. The wake-up is the only message: `controllers.drain(role, queues)`.

A message costs Celery more than most reconciles cost us. So a worker with a thread to spare drains a queue that it filled
itself; the wake-ups that are left go out as one message of a moment, to whichever worker of the role is free.
"""

from __future__ import annotations

import importlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from celery import current_app, shared_task, signals

from controllers import exporter, workqueue
from controllers.manifest import ROLES
from controllers.waking import Drains, Waker

if TYPE_CHECKING:
    from controllers.runtime import Context, Controller, Runtime

log = logging.getLogger(__name__)

CLUSTER = 1  # the cluster that runs here; attached ones are read-only and have no controllers
LATE = 5.0  # seconds without a look at the log or at the queues after which a worker says that it is not well
THREADS = 4  # queues that are drained at once
_services: dict[str, Service] = {}


class Service:
    """Everything that one role needs in this process: cache, queues, feeder, ticker."""

    def __init__(self, role: str) -> None:
        from cluster.cache import Cache
        from cluster.store import Store
        from controllers.feeder import Feeder
        from controllers.runtime import Runtime
        from controllers.ticker import Ticker, worker_id

        controllers = [load(path) for path in ROLES[role]]
        redis, worker = workqueue.connect(), worker_id()
        self._waker = Waker(partial(send, role))
        self.drains = Drains(f"{role}-drain", self._drain, THREADS)
        self.store = Store.of(CLUSTER)
        self.cache = Cache(self.store, history=0)  # nobody watches through this process
        self.runtime: Runtime = Runtime(
            controllers,
            lambda name: workqueue.WorkQueue(redis, queue_name(name), worker),
            self._context,
            self.wake,
        )
        self._feeder = Feeder(self.runtime, self.cache)
        self._ticker = Ticker(redis, role, worker, self.runtime, self._feeder)
        self._exporter = exporter.of_role(role, self.runtime, redis, self.ailing)

    def start(self) -> None:
        from cluster.customkinds import Follower
        from kube import registry

        self.cache.start()
        Follower(registry.of_cluster(CLUSTER), self.cache).start()
        self._feeder.start()
        self._ticker.start()
        if self._exporter is not None:
            self._exporter.start()

    def ailing(self) -> str:
        """What keeps this worker from its work; "" for nothing."""
        if self.cache.age > LATE:
            return f"the change log was last read {self.cache.age:.0f} s ago"
        if self._ticker.age > LATE:
            return f"the work queues were last looked at {self._ticker.age:.0f} s ago"
        return ""

    def wake(self, name: str) -> None:
        """Have a queue drained by a thread of this worker that is free, else by any worker."""
        if not self.drains.take(name, THREADS):
            self._waker.wake(name)

    def _drain(self, name: str) -> None:
        from redis import RedisError

        try:
            self.runtime.drain(name)
        except RedisError as error:  # keys held are recovered and the queue is woken again once Redis answers
            log.warning("%s: the work queue went away: %s", name, error)

    def stop(self) -> None:
        if self._exporter is not None:
            self._exporter.close()
        self.drains.stop()
        self._ticker.stop()
        self._feeder.stop()
        self.cache.close()

    def _context(self, controller: Controller) -> Context:
        from cluster.settings import from_environment
        from cluster.verbs import Session
        from controllers.runtime import Context

        session = Session(CLUSTER, controller.user, self.cache, self.store, settings=from_environment())
        return Context(session, self.cache)


def load(path: str) -> Controller:
    """The controller that a "module:Class" names."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)()


def queue_name(controller: str) -> str:
    """The name in Redis of a controller's queue."""
    return f"{CLUSTER}:{controller}"


def send(role: str, names: list[str]) -> None:
    """Send the wake-up of queues to whichever worker of the role is free."""
    current_app.send_task("controllers.drain", args=(role, names), queue=role, ignore_result=True)


@shared_task(name="controllers.drain", ignore_result=True)
def drain(role: str, names: list[str]) -> None:
    """Reconcile the keys of some queues until they are empty or their turn is over."""
    service = _services.get(role)
    if service is not None:  # else: sent before this worker was ready; its ticker wakes the queues again
        for name in names:
            service.drains.take(name)


@signals.worker_ready.connect
def start(sender: Any = None, **_: Any) -> None:
    """Start the service of each role whose queue this worker consumes."""
    from cluster import memory

    for role in ROLES.keys() & set(sender.app.amqp.queues.consume_from):
        if role not in _services:
            _services[role] = service = Service(role)
            service.start()
            memory.settle()
            log.info("%s: %d controllers run", role, len(service.runtime.controllers))


@signals.worker_shutdown.connect
def stop(**_: Any) -> None:
    """Give up leases and leadership at an orderly end, when no task runs any more; write the events that wait."""
    from cluster import events

    for role in list(_services):
        _services.pop(role).stop()
    events.flush()
