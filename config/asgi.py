"""The dashboard's ASGI application: Django for pages and admin, Channels for sockets.

Who calls, and whether over HTTPS, is what the connection says; behind proxies that BINNACLE_TRUSTED_PROXIES names, what they
say: of `X-Forwarded-For` the last address that is no trusted proxy's.
"""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.asgi import get_asgi_application

_pages = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

import environment
from dashboard.urls import websocket_urlpatterns

_application: Any = ProtocolTypeRouter(
    {
        "http": _pages,
        "websocket": URLRouter(websocket_urlpatterns),  # its consumers check origin and session themselves
    }
)


def behind_proxies(trusted: list[str]) -> Any:
    """The application, called over proxies at these addresses or ranges."""
    return ProxyHeadersMiddleware(_application, trusted)


application = behind_proxies(environment.TRUSTED_PROXIES.get())
