"""Django over a state folder of the test's own, with the small world in the store."""

from __future__ import annotations

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
    connections["default"].close()
    settings["NAME"] = f"{var}/cluster.db"
    yield var
    connections["default"].close()
    settings["NAME"] = before


@pytest.fixture
def peopled(pages: Path) -> Iterator[tuple[Store, dict[str, Any]]]:
    """The store of the installation with the small world in it."""
    store = Store.of(1)
    yield store, world.populate(store)
    from dashboard.source import sources

    sources.close()
    store.close()
