"""`python -m config.worker -Q QUEUE`: a Celery worker, as `celery -A config worker` makes one.

Celery's own command line loads an interactive prompt and its colours, 11 MiB in each worker that nobody ever uses.
"""

from __future__ import annotations

import argparse
import sys

from config.celery import app


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m config.worker", description=__doc__.splitlines()[0])
    parser.add_argument("-Q", "--queue", required=True, help="the role: controllers or scheduler")
    queue = parser.parse_args().queue
    # A thread, not forked children: memory counts, and a task only hands queues to threads (see controllers.tasks).
    worker = app.Worker(
        hostname=f"{queue}@%h",
        queues=[queue],
        pool="threads",
        concurrency=1,
        loglevel="INFO",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    return worker.exitcode or 0


if __name__ == "__main__":
    sys.exit(main())
