"""Wiring: settings, the processes of an installation, and the commands that start and stop it."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    # `celery -A config` looks for the app here; importing it at once would cost every other command its start time.
    if name in ("app", "celery_app"):
        from config.celery import app

        return app
    raise AttributeError(name)
