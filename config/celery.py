"""The Celery app: its workers run the controllers (queue `controllers`) and the scheduler (queue `scheduler`).

`celery -A config worker -Q controllers` starts another worker of a running cluster, `celery -A config inspect active`
shows what the workers do; `BINNACLE_VAR` says of which cluster, as everywhere.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from celery import Celery
from celery.signals import after_setup_logger, after_setup_task_logger
from kombu import Queue

from telemetry import logs

# Celery's command has the present folder in the path only while it imports this module; tasks import more, later.
if (_root := str(Path(__file__).resolve().parent.parent)) not in sys.path:
    sys.path.append(_root)

import environment
from client import keyvalue
from config import installation

# In a shell of a person as in a process of the supervisor.
_var = environment.VAR.get().resolve()
for _name, _value in installation.kept_environment(_var).items():
    os.environ.setdefault(_name, _value)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

_redis = keyvalue.address() or f"unix://{_var}/run/redis.sock"

# kombu spells a Unix socket differently from redis-py.
# No fixups: the workers need no Django, which Celery would load because its settings are named in the environment.
app = Celery("binnacle", broker=_redis.replace("unix://", "redis+socket://", 1), fixups=[])
app.conf.update(
    # Threads, not forked children: they share the cache of the cluster, which is most of a worker's memory.
    worker_pool="threads",
    worker_concurrency=4,
    worker_disable_prefetch=True,  # a message goes to the worker that has a thread free
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={"visibility_timeout": 3600, "socket_keepalive": True},
    imports=("controllers.tasks",),  # of all roles
    task_queues=[Queue("controllers"), Queue("scheduler")],  # a worker without -Q has both roles
    task_default_queue="controllers",
)

# Drains come several times a second: a line for each would bury what the controllers have to say.
for name in ("celery.worker.strategy", "celery.app.trace"):
    logging.getLogger(name).setLevel(logging.WARNING)


@after_setup_logger.connect
@after_setup_task_logger.connect
def _redact(logger: logging.Logger, **_: object) -> None:
    logs.redact(logger)
