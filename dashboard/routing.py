"""The dashboard's sockets, for the ASGI application."""

from django.urls import re_path

from dashboard.consumers import LiveConsumer, LogConsumer
from dashboard.logsearch_socket import LogSearchConsumer

_CLUSTER = r"^c/(?P<cluster>[a-z0-9][a-z0-9.-]{0,62})/"

websocket_urlpatterns = [
    re_path(_CLUSTER + r"live$", LiveConsumer.as_asgi()),
    re_path(_CLUSTER + r"log$", LogConsumer.as_asgi()),
    re_path(_CLUSTER + r"logsearch$", LogSearchConsumer.as_asgi()),
]
