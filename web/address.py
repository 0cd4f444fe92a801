"""Where a server is, and what every request to it says."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from web.http1 import host_header, request_head


class Place(NamedTuple):
    """Where to connect, and whose certificate is expected there: the host's, if not another's."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    server_name: str | None = None


class Address:
    """What a URL says: where, what paths begin with, and who we are there. Raises ValueError."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None, server_name: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of a server: http://host:port or https://host:port")
        context = (tls or ssl.create_default_context()) if parts.scheme == "https" else None
        port = parts.port or (443 if context else 80)
        self.place = Place(parts.hostname, port, context, server_name)
        self.prefix = parts.path.rstrip("/")
        self._own = {"Host": host_header(parts.hostname, port)}
        if parts.username:
            words = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self._own["Authorization"] = "Basic " + base64.b64encode(words).decode()

    def request(self, method: str, path: str, body: bytes | None, *headers: Mapping[str, str] | None) -> bytes:
        """All bytes of a request; later headers win."""
        merged = dict(self._own)
        for more in headers:
            merged.update(more or {})
        if body is not None or method in ("POST", "PUT", "PATCH"):
            merged["Content-Length"] = str(len(body or b""))
        return request_head(method, self.prefix + path, merged) + (body or b"")


def port_of(text: str) -> int | None:
    """The port that a text names; None for all else, other scripts' digits and thousands of them too."""
    number = int(text) if 0 < len(text) < 6 and text.isascii() and text.isdigit() else 0
    return number if 0 < number < 65_536 else None
