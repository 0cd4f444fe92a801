"""Django's settings. What differs between installations comes from the environment (docs/settings.md)."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import environment
from cluster.database import default_url

BASE_DIR = Path(__file__).resolve().parent.parent
# `logging/` is a folder of sources, not a package: appended, so that nothing in it can shadow another module.
sys.path.append(str(BASE_DIR / "logging"))

VAR = environment.VAR.get().resolve()


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


def database() -> dict[str, Any]:
    """Django's entry for the database that `cluster.database` uses too."""
    url = default_url()
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
    entry: dict[str, Any] = {"ENGINE": "django.db.backends.postgresql", "NAME": unquote(parts.path[1:])}
    for name, value in (("USER", parts.username), ("PASSWORD", parts.password), ("HOST", parts.hostname)):
        entry[name] = unquote(value or "")
    query = dict(item.split("=", 1) for item in parts.query.split("&") if "=" in item)
    entry["HOST"] = unquote(query.get("host", entry["HOST"]))
    entry["PORT"] = str(parts.port or "")
    return entry


SECRET_KEY = secret_key(VAR)
DEBUG = False
ALLOWED_HOSTS = environment.ALLOWED_HOSTS.get() or [
    "127.0.0.1",
    "localhost",
    "[::1]",
    "testserver",
    environment.NODE_ADDRESS.get(),
]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "addons",  # before the admin, whose base page it extends
    "django.contrib.admin",
    "cluster",
    "dashboard",
]
MIDDLEWARE = [
    "dashboard.headers.Headers",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
DATABASES = {"default": database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/admin/static/"  # of the admin pages; the dashboard serves its own
USE_TZ = True
TIME_ZONE = "UTC"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = f"binnacle-{environment.DASHBOARD_PORT.get()}"  # cookies are shared by all ports of a host
CSRF_COOKIE_NAME = f"binnacle-csrf-{environment.DASHBOARD_PORT.get()}"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "telemetry.logs.Redacted"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": environment.LOG_LEVEL.get()},
}
