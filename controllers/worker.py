"""What runs in a worker process beside its tasks, from the moment it is ready until it ends.

A role is the Celery queue that a worker consumes, `controllers` or `scheduler`; each has its own subclass of `Service`.
"""

from __future__ import annotations

import importlib
import logging
import threading
import uuid
from typing import TYPE_CHECKING

import environment
from client import Config
from client.access import Access
from client.ports import beside
from cluster import memory
from cluster.cache import Cache
from cluster.customkinds import Follower
from cluster.settings import from_environment
from cluster.store import Store
from cluster.verbs import Session
from controllers import metrics, workqueue
from controllers.election import worker_id
from controllers.feeder import Feeder
from controllers.manifest import CONTROLLERS
from controllers.runtime import Context, Controller, Runtime
from controllers.ticker import Ticker
from controllers.wakeups import WakeUps
from kube import registry
from telemetry.exporter import Exporter, pages

if TYPE_CHECKING:
    from telemetry.counting import Metrics

log = logging.getLogger(__name__)

CLUSTER = 1  # the cluster that runs here; attached ones are read-only and have no controllers
LATE = 5.0  # seconds without a look at the log or at the queues after which a worker says that it is not well
LINGER = 1.0  # seconds for which a drain waits for another queue before it ends


class Service:
    """What each role needs in its process: a cache that follows the log, Redis, a page of metrics and health."""

    role: str
    metrics: Metrics

    def __init__(self) -> None:
        self.worker, self.redis = worker_id(), workqueue.connect()
        self.store = Store.of(CLUSTER)
        self.cache = Cache(self.store, history=0)  # nobody watches through this process
        self._exporter = self._pages()

    def start(self) -> None:
        self.cache.start()
        Follower(registry.of_cluster(CLUSTER), self.cache).start()
        self.begin()
        if self._exporter is not None:
            self._exporter.start()
        memory.settle()

    def stop(self) -> None:
        """End in order: whoever takes over can at once."""
        if self._exporter is not None:
            self._exporter.close()
        self.end()
        self.cache.close()

    def unhealthy(self) -> str:
        """What keeps this worker from its work; "" for nothing."""
        if self.cache.age > LATE:
            return f"the change log was last read {self.cache.age:.0f} s ago"
        return self.late()

    def session(self, user: str) -> Session:
        """The verbs as this user."""
        return Session(CLUSTER, user, self.cache, self.store, settings=from_environment())

    def begin(self) -> None:
        """Start the role's own threads."""
        raise NotImplementedError

    def end(self) -> None:
        """End them, and give up what this process leads."""
        raise NotImplementedError

    def drain(self) -> None:
        """What the role's task does."""

    def stopping(self) -> None:
        """The worker ends as soon as its tasks do: they have to."""

    def late(self) -> str:
        """What of the role's own work stands still; "" for nothing."""
        return ""

    def more_metrics(self) -> bytes:
        """Metrics beside `metrics`, rendered."""
        return b""

    def _pages(self) -> Exporter | None:
        """Served on loopback and the node's address, beside the API's port; None without certificates."""
        api_port, pki = environment.API_PORT.get(), environment.VAR.get().resolve() / "pki"
        if not (pki / "kubelet.key").exists():
            return None
        return Exporter(
            ["127.0.0.1", environment.NODE_ADDRESS.get()],
            beside(api_port, self.role),
            str(pki / "kubelet.crt"),
            str(pki / "kubelet.key"),
            Access(Config(f"https://127.0.0.1:{api_port}", (pki / "ca.crt").read_text())),
            pages(self.metrics, self.more_metrics),
            self.unhealthy,
        )


class ControllerService(Service):
    """The controllers: their queues, and the feeder and the ticker that fill and wake them."""

    role, metrics = "controllers", metrics.METRICS

    def __init__(self) -> None:
        super().__init__()
        self._wakeups = WakeUps(self.redis, self.role)
        self._stopping = threading.Event()
        self.runtime = Runtime(
            [load(path) for path in CONTROLLERS],
            lambda name: workqueue.WorkQueue(self.redis, f"{CLUSTER}:{name}", self.worker),
            lambda controller: Context(self.session(controller.user), self.cache),
            self.wake,
        )
        self._feeder = Feeder(self.runtime, self.cache)
        self._ticker = Ticker(self.redis, self.role, self.worker, self.runtime, self._feeder)

    def begin(self) -> None:
        self._feeder.start()
        self._ticker.start()

    def end(self) -> None:
        self._ticker.stop()
        self._feeder.stop()

    def wake(self, name: str) -> None:
        """Have a queue drained: by a task that waits for one, in whichever worker, else by a new task."""
        if self._wakeups.add(name):
            from controllers import tasks

            tasks.drain.apply_async((self.role,), queue=self.role)

    def drain(self) -> None:
        """Drain one queue after the other, until none has been woken for a moment or the worker ends."""
        from redis import RedisError

        drain = uuid.uuid4().hex
        try:
            while not self._stopping.is_set() and (name := self._wakeups.take(drain, LINGER)):
                self.runtime.drain(name)
        except RedisError as error:  # keys held are recovered and the queues are woken again once Redis answers
            log.warning("the work queues went away: %s", error)

    def stopping(self) -> None:
        self._stopping.set()

    def late(self) -> str:
        age = self._ticker.age
        return f"the work queues were last looked at {age:.0f} s ago" if age > LATE else ""

    def more_metrics(self) -> bytes:
        queues = {name: queue.name for name, queue in self.runtime.queues.items()}
        return metrics.render(self.redis, queues, self.runtime.durations)


def load(path: str) -> Controller:
    """The controller that a "module:Class" names."""
    module, _, name = path.partition(":")
    made: Controller = getattr(importlib.import_module(module), name)()
    return made
