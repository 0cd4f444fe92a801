"""Fixtures that every package's tests share: a migrated database, a store over it, a cache over that."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, settings

from cluster import keyring
from cluster.cache import Cache
from cluster.database import Database
from cluster.store import Store

ROOT = Path(__file__).resolve().parent.parent
# On a loaded machine making examples is slow, which says nothing about what is tested.
settings.register_profile("patient", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("patient")


def migrate(var: Path, url: str = "") -> None:
    """Create the tables of an empty database, as `make up` does."""
    keyring.of(var).prepare()
    env = {**os.environ, "BINNACLE_VAR": str(var), "DJANGO_SETTINGS_MODULE": "config.settings"}
    env.pop("DATABASE_URL", None)
    if url:
        env["DATABASE_URL"] = url
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--skip-checks", "-v", "0"], cwd=ROOT, env=env, check=True, timeout=120
    )


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with an empty, migrated SQLite database: to copy, not to use."""
    var = tmp_path_factory.mktemp("template")
    migrate(var)
    return var


@pytest.fixture
def var(migrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of its own with an empty database; the environment points at it."""
    shutil.copytree(migrated, tmp_path / "var")
    monkeypatch.setenv("BINNACLE_VAR", str(tmp_path / "var"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return tmp_path / "var"


@pytest.fixture
def store(var: Path) -> Iterator[Store]:
    """An empty store on SQLite."""
    made = Store(Database(f"sqlite:///{var}/cluster.db"))
    yield made
    made.close()


@pytest.fixture
def cache(store: Store) -> Iterator[Cache]:
    """A cache that follows `store`."""
    made = Cache(store)
    made.start()
    yield made
    made.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A real PostgreSQL server; the URL of its first database."""
    with warnings.catch_warnings(action="ignore"):  # it complains of machines without a session
        import pgserver

    logging.getLogger("pgserver").setLevel(logging.WARNING)  # it says goodbye when pytest's streams are closed

    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        # The server refuses to run as root: the package starts it under a user of its own.
        server = pgserver.get_server(folder, cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def postgres_url(postgres: str, var: Path) -> Iterator[str]:
    """The URL of an empty, migrated PostgreSQL database of its own."""
    import psycopg

    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    parts = urlsplit(postgres)
    url = parts._replace(path=f"/{name}").geturl()
    migrate(var, url)
    yield url
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
