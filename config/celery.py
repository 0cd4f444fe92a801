"""The Celery app: its workers run the controllers (queue `controllers`) and the scheduler (queue `scheduler`).

A task only wakes a worker that drains a work queue (see `controllers.runtime`); results are never asked for.
"""

from __future__ import annotations

import logging
import os

from celery import Celery

import environment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

_redis = environment.REDIS_URL.get() or f"unix://{environment.VAR.get().resolve()}/run/redis.sock"

# kombu spells a Unix socket differently from redis-py.
# No fixups: the workers need no Django, which Celery would load because its settings are named in the environment.
app = Celery("binnacle", broker=_redis.replace("unix://", "redis+socket://", 1), fixups=[])
app.conf.update(
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    worker_hijack_root_logger=False,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={"visibility_timeout": 3600, "socket_keepalive": True},
    worker_send_task_events=False,
    imports=("controllers.tasks",),  # both roles: see controllers.manifest
    task_routes={"controllers.*": {"queue": "controllers"}, "scheduler.*": {"queue": "scheduler"}},
)

# Wake-ups come many times a second: a line for each would bury what the controllers have to say.
for name in ("celery.worker.strategy", "celery.app.trace"):
    logging.getLogger(name).setLevel(logging.WARNING)
