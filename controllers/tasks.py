"""Where Celery meets the controllers: one task that drains a queue, and the start of feeder and ticker with the worker.

A role is the Celery queue that a worker consumes (`controllers` or `scheduler`); each role has its own controllers and
its own feeder. The wake-up is the only message: `controllers.drain(role, queue)`.
"""

from __future__ import annotations

import importlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from celery import current_app, shared_task, signals

from controllers import workqueue
from controllers.manifest import ROLES

if TYPE_CHECKING:
    from controllers.runtime import Context, Controller, Runtime

log = logging.getLogger(__name__)

CLUSTER = 1  # the cluster that runs here; attached ones are read-only and have no controllers
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
        self.store = Store.of(CLUSTER)
        self.cache = Cache(self.store, history=0)  # nobody watches through this process
        self.runtime: Runtime = Runtime(
            controllers,
            lambda name: workqueue.WorkQueue(redis, queue_name(name), worker),
            self._context,
            partial(wake, role),
        )
        self._feeder = Feeder(self.runtime, self.cache)
        self._ticker = Ticker(redis, role, worker, self.runtime, self._feeder)

    def start(self) -> None:
        from cluster import registry
        from cluster.crd.follow import Follower

        self.cache.start()
        Follower(registry.of_cluster(CLUSTER), self.cache).start()
        self._feeder.start()
        self._ticker.start()

    def stop(self) -> None:
        self._ticker.stop()
        self._feeder.stop()
        self.cache.close()

    def _context(self, controller: Controller) -> Context:
        from cluster.registry import Settings
        from cluster.verbs import Session
        from controllers.runtime import Context

        settings = Settings.from_environment()
        return Context(Session(CLUSTER, controller.user, self.cache, self.store, settings=settings), self.cache)


def load(path: str) -> Controller:
    """The controller that a "module:Class" names."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)()


def queue_name(controller: str) -> str:
    """The name in Redis of a controller's queue."""
    return f"{CLUSTER}:{controller}"


def wake(role: str, name: str) -> None:
    """Send the wake-up of a queue to whichever worker of the role is free."""
    current_app.send_task("controllers.drain", args=(role, name), queue=role, ignore_result=True)


@shared_task(name="controllers.drain", ignore_result=True)
def drain(role: str, name: str) -> None:
    """Reconcile the keys of one queue until it is empty or its turn is over."""
    service = _services.get(role)
    if service is None:  # sent before this worker was ready: its ticker wakes the queue again
        return
    from redis import RedisError

    try:
        service.runtime.drain(name)
    except RedisError as error:  # keys held are recovered and the queue is woken again once Redis answers
        log.warning("%s: the work queue went away: %s", name, error)


@signals.worker_ready.connect
def start(sender: Any = None, **_: Any) -> None:
    """Start the service of each role whose queue this worker consumes."""
    for role in ROLES.keys() & set(sender.app.amqp.queues.consume_from):
        if role not in _services:
            _services[role] = service = Service(role)
            service.start()
            log.info("%s: %d controllers run", role, len(service.runtime.controllers))


@signals.worker_shutdown.connect
def stop(**_: Any) -> None:
    """Give up leases and leadership at an orderly end, when no task runs any more; write the events that wait."""
    from cluster import events

    for role in list(_services):
        _services.pop(role).stop()
    events.flush()
