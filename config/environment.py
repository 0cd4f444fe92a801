"""What the environment says about this installation, read with helpers that fail loudly.

| variable | meaning | default |
| --- | --- | --- |
| `BINNACLE_VAR` | folder of all state | `var` |
| `BINNACLE_PORT` / `BINNACLE_API_PORT` | ports of the dashboard and of the API | 8080 / 6443 |
| `DATABASE_URL` | `sqlite:///PATH` or `postgresql://…` | a SQLite file in the state folder |
| `BINNACLE_REDIS` | URL of Redis, `unix://PATH` or `redis://…` | none: the socket under `run/`, where there is one |
| `BINNACLE_WITHOUT` | processes that are not started, with commas: `kubelet,kubeproxy` gives a control plane alone | none |
| `BINNACLE_ALLOWED_HOSTS` | host names under which the dashboard may be called, with commas | this machine's loopback names |
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


def var() -> Path:
    """The folder of all state."""
    return Path(os.environ.get("BINNACLE_VAR", "var")).resolve()


def words(name: str) -> list[str]:
    """A list with commas."""
    return [word.strip() for word in os.environ.get(name, "").split(",") if word.strip()]


def port(name: str, default: int) -> int:
    """A port number; raises ValueError that names the variable."""
    text = os.environ.get(name, "") or str(default)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ValueError(f"{name}={text!r}: a port is a number from 1 to 65535")
    return int(text)


def secret_key(folder: Path) -> str:
    """The key that signs sessions: made once, kept in the state folder, readable by its owner only."""
    path = folder / "pki" / "django.key"
    try:
        return path.read_text()
    except FileNotFoundError:
        pass
    key = secrets.token_urlsafe(48)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(key)
    except FileExistsError:  # another process made it first
        return path.read_text()
    return key


def database(folder: Path) -> dict[str, Any]:
    """Django's entry for the database that `cluster.database` uses too."""
    from cluster.database import default_url

    url = os.environ.get("DATABASE_URL") or f"sqlite:///{folder}/cluster.db"
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": url.removeprefix("sqlite:///"),
            "OPTIONS": {
                "timeout": 30,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            },
        }
    if parts.scheme not in ("postgres", "postgresql"):
        raise ValueError(f"DATABASE_URL: {default_url()!r} is neither sqlite:///PATH nor postgresql://…")
    entry: dict[str, Any] = {"ENGINE": "django.db.backends.postgresql", "NAME": unquote(parts.path[1:])}
    for name, value in (("USER", parts.username), ("PASSWORD", parts.password), ("HOST", parts.hostname)):
        entry[name] = unquote(value or "")
    query = dict(item.split("=", 1) for item in parts.query.split("&") if "=" in item)
    entry["HOST"] = unquote(query.get("host", entry["HOST"]))
    entry["PORT"] = str(parts.port or "")
    return entry


def redis_url() -> str:
    """The URL of Redis, empty where none is configured."""
    return os.environ.get("BINNACLE_REDIS", "")
