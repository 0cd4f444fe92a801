"""Requests from threads: the same protocol over a socket, one connection a request."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping

from web.address import Address
from web.http1 import Response, ResponseReader


def request(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
    connect: tuple[str, int] | None = None,
    timeout: float = 30.0,
    limit: int = 16 << 20,
) -> Response:
    """The whole answer, whatever its status. `connect`: where, if not where the URL says; `timeout`: seconds for all of it.

    Raises OSError (TimeoutError, ConnectionError, ssl.SSLError, ProtocolError for more than `limit` bytes), and ValueError
    for what is no URL.
    """
    end = time.monotonic() + timeout
    origin, _, target = url.partition("://")[2].partition("/")
    address = Address(f"{url.partition('://')[0]}://{origin}", tls, server_name)
    sent = address.request(method, f"/{target}", body, {"Connection": "close"}, headers)
    place, reader = address.place, ResponseReader(limit)
    reader.begin(method)
    with socket.create_connection(connect or (place.host, place.port), timeout) as plain:
        plain.settimeout(_left(end))
        stream = plain if place.tls is None else place.tls.wrap_socket(plain, server_hostname=server_name or place.host)
        with stream:
            stream.settimeout(_left(end))
            stream.sendall(sent)
            while not reader.complete:
                stream.settimeout(_left(end))
                if data := stream.recv(65536):
                    reader.feed(data)
                else:
                    reader.end()
    return reader.whole()


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
