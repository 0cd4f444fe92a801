"""A server on its own, for tests: keys, a token and tables in a fresh folder, no supervisor and no other process."""

from __future__ import annotations

import importlib
import secrets
from pathlib import Path

import environment
from cluster import keyring

ADMIN = "admin"


def prepare(var: Path) -> None:
    """Make what a server needs in `var`, where it is missing; prints the token of the user `admin`."""
    var.mkdir(parents=True, exist_ok=True)
    # By name: `config` wires the packages together, so that none of them imports it.
    pki = importlib.import_module("config.pki")
    pki.make_all(var / "pki", node="localhost", addresses=["127.0.0.1"])
    keyring.of(var).prepare()
    tokens = var / "pki" / "tokens.csv"
    if not tokens.exists():
        keyring.write_private(tokens, f'{secrets.token_hex(32)},{ADMIN},{ADMIN}-uid,"system:masters"\n'.encode())
    migrate(var)
    print(f"token {tokens.read_text().partition(',')[0]}", flush=True)


def migrate(var: Path) -> None:
    """Create or alter the store's tables, with no Django app but the store's own."""
    import django
    from django.conf import settings
    from django.core.management import call_command

    if environment.DATABASE_URL.given:
        raise ValueError("--standalone keeps its data in its own folder: unset DATABASE_URL")
    settings.configure(
        INSTALLED_APPS=["cluster"],
        USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(var / "cluster.db")}},
    )
    django.setup()
    call_command("migrate", verbosity=0)
