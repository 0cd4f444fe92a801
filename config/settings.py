"""Django's settings. What differs between installations comes from `config.environment`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from config import environment

BASE_DIR = Path(__file__).resolve().parent.parent
# `logging/` is a folder of sources, not a package: appended, so that nothing in it can shadow another module.
sys.path.append(str(BASE_DIR / "logging"))

VAR = environment.var()
SECRET_KEY = environment.secret_key(VAR)
DEBUG = False
ALLOWED_HOSTS = environment.words("BINNACLE_ALLOWED_HOSTS") or [
    "127.0.0.1",
    "localhost",
    "[::1]",
    "testserver",
    os.environ.get("BINNACLE_NODE_ADDRESS", "127.0.0.1"),
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
DATABASES = {"default": environment.database(VAR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/admin/static/"  # of the admin pages; the dashboard serves its own
USE_TZ = True
TIME_ZONE = "UTC"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = f"binnacle-{os.environ.get('BINNACLE_PORT', '8080')}"  # cookies are shared by all ports of a host
CSRF_COOKIE_NAME = f"binnacle-csrf-{os.environ.get('BINNACLE_PORT', '8080')}"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("BINNACLE_LOG_LEVEL", "INFO")},
}
