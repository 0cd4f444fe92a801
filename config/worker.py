"""`python -m config.worker -Q controllers`: what `celery -A config worker -Q controllers` does, with all its options.

It is Celery's own command; only the `celery` around it, with its interactive prompt, is left out: 7 MiB in each worker.
"""

from __future__ import annotations

import sys

from celery.bin.base import CLIContext
from celery.bin.worker import worker

from config.celery import app

if __name__ == "__main__":
    context = CLIContext(app=app, no_color=True, workdir=None, quiet=True)
    sys.exit(worker.main(prog_name="python -m config.worker", obj=context))
