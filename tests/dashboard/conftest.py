"""Django over a state folder of the test's own, with the small world in the store."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.store import Store
from tests.dashboard import world


@pytest.fixture
def pages(var: Path) -> Iterator[Path]:
    """Django's settings and connections point at `var`."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django
    from django.db import connections

    django.setup()
    settings = connections.settings["default"]
    before = settings["NAME"]
    _close()
    settings["NAME"] = f"{var}/cluster.db"
    yield var
    _close()
    settings["NAME"] = before


def _close() -> None:
    """Connections are each thread's own: this one has some, and the one in which asgiref runs what consumers read."""
    from asgiref.sync import sync_to_async
    from django.db import connections

    connections.close_all()
    asyncio.run(sync_to_async(connections.close_all)())


@pytest.fixture
def peopled(pages: Path) -> Iterator[tuple[Store, dict[str, Any]]]:
    """The store of the installation with the small world in it."""
    store = Store.of(1)
    yield store, world.populate(store)
    from dashboard.source import sources

    sources.close()
    store.close()
