"""The dashboard's ASGI application: Django for pages and admin, Channels for sockets."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.asgi import get_asgi_application

_pages = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter

from dashboard.urls import websocket_urlpatterns

application = ProtocolTypeRouter(
    {
        "http": _pages,
        "websocket": URLRouter(websocket_urlpatterns),  # its consumers check origin and session themselves
    }
)
