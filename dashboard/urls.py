"""The dashboard's addresses, of pages and of sockets. There is none that changes a cluster."""

from typing import Any, cast

from django.urls import path, re_path

from dashboard import logsearch_download, views
from dashboard.consumers import LiveConsumer, LogConsumer
from dashboard.logsearch import LogSearchConsumer

urlpatterns = [
    path("healthz", views.healthz),
    path("metrics", views.metrics),
    path("login", views.log_in),
    path("logout", views.log_out),
    path("static/<slug:build>/<path:path>", views.static_file),
    path("", views.page),
    path("c/<str:cluster>/logs/download", logsearch_download.download),
    re_path(r"^(?P<path>c/[a-z0-9][a-z0-9.-]{0,62}(/.*)?)$", views.page),
]


async def nowhere(scope: Any, receive: Any, send: Any) -> None:
    """Where there is no socket: the handshake is refused, with 403."""
    await receive()
    await send({"type": "websocket.close"})


_CLUSTER = r"^c/(?P<cluster>[a-z0-9][a-z0-9.-]{0,62})/"

_SOCKETS = {"live": LiveConsumer, "log": LogConsumer, "logsearch": LogSearchConsumer}

# Django's types know no ASGI application as the target of a path; Channels' URLRouter takes nothing else.
websocket_urlpatterns: list[Any] = [
    *(re_path(f"{_CLUSTER}{name}$", cast(Any, consumer.as_asgi())) for name, consumer in _SOCKETS.items()),
    re_path("", cast(Any, nowhere)),
]
