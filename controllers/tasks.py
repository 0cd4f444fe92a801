"""The one task: it drains the work queues of a role in a thread of Celery's pool, in whichever worker is free.

`celery -A config inspect active` shows the drains that are at work, or have just been.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

from celery import shared_task, signals
from celery.exceptions import WorkerShutdown

from controllers.manifest import SERVICES

if TYPE_CHECKING:
    from controllers.worker import Service

log = logging.getLogger(__name__)

_services: dict[str, Service] = {}


@shared_task(name="controllers.drain", ignore_result=True)
def drain(role: str) -> None:
    """Reconcile the keys of the queues that are woken, until none is for a moment."""
    service = _services.get(role)
    if service is not None:  # else: sent before this worker was ready; its ticker wakes the queues again
        service.drain()


@signals.worker_ready.connect
def start(sender: Any = None, **_: Any) -> None:
    """Start the service of each role whose queue this worker consumes."""
    for role in SERVICES.keys() & set(sender.app.amqp.queues.consume_from):
        if role not in _services:
            module, cls = SERVICES[role].split(":")
            try:
                _services[role] = service = getattr(importlib.import_module(module), cls)()
                service.start()
            except Exception as error:  # Celery would log it and go on without
                log.exception("%s: this worker cannot start", role)
                raise WorkerShutdown(1) from error
            log.info("%s: this worker is ready", role)


@signals.worker_shutting_down.connect
def finish(**_: Any) -> None:
    """Told to end: Celery waits for the tasks that run."""
    for service in _services.values():
        service.stopping()


@signals.worker_shutdown.connect
def stop(**_: Any) -> None:
    """Give up leases and leads at an orderly end, when no task runs any more; write the events that wait."""
    from cluster import events

    for role in list(_services):
        _services.pop(role).stop()
    events.flush()
