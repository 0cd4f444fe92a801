"""A small HTTPS server for the metrics of a process that has no server: in threads, one request a connection.

It listens on the node's addresses; who reads needs a bearer token that may `get /metrics` (see `access`).
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from telemetry.access import Access
from telemetry.counting import Metrics

if TYPE_CHECKING:
    import ssl

log = logging.getLogger(__name__)

CONNECTIONS = 8  # at once; more are turned away
PATIENCE = 5.0  # seconds that a client may keep us waiting
RETRY = 10.0  # seconds after which a port that was taken is tried again
MAX_HEAD = 8192
IP_FREEBIND = 15  # linux/in.h: the node's address may come up after this process
REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Exporter:
    """Serves `/metrics` (what `render` makes) and `/healthz`, open to all: `ailing` says what is wrong, "" for nothing."""

    def __init__(
        self,
        addresses: Sequence[str],
        port: int,
        certificate: str,
        key: str,
        access: Access,
        render: Callable[[], bytes],
        ailing: Callable[[], str] = lambda: "",
    ) -> None:
        self._addresses, self.port, self._files = list(dict.fromkeys(addresses)), port, (certificate, key)
        self._access, self._render, self._ailing = access, render, ailing
        self._places = threading.BoundedSemaphore(CONNECTIONS)
        self._end = threading.Event()
        self._context: ssl.SSLContext | None = None
        self._listeners: list[socket.socket] = []

    def start(self) -> None:
        """Begin in the background. A port that is taken is tried again until it is free: nothing else depends on it."""
        for address in self._addresses:
            threading.Thread(target=self._listen, args=(address,), name="metrics", daemon=True).start()

    def close(self) -> None:
        self._end.set()
        for listener in self._listeners:
            listener.close()

    def _listen(self, address: str) -> None:
        complained = False
        while not self._end.is_set():
            try:
                listener = _bound(address, self.port)
            except OSError as error:
                if not complained:
                    log.warning("no metrics on %s:%d: %s; trying again", address, self.port, error.strerror)
                complained = True
                self._end.wait(RETRY)
                continue
            self._listeners.append(listener)
            self.port = listener.getsockname()[1]
            self._accept(listener)

    def _accept(self, listener: socket.socket) -> None:
        while not self._end.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                break  # closed, or out of descriptors: `_listen` begins anew unless this is the end
            if self._places.acquire(blocking=False):
                threading.Thread(target=self._serve, args=(connection,), name="scrape", daemon=True).start()
            else:
                connection.close()
        listener.close()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(PATIENCE)
            with self._tls().wrap_socket(connection, server_side=True) as stream:
                stream.sendall(self._answer(_head(stream)))
        except (OSError, ValueError) as error:  # its own fault, or gone
            log.debug("a request for metrics failed: %s", error)
        finally:
            connection.close()
            self._places.release()

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            import ssl  # here, and what `render` needs there: most clusters are never scraped, and memory counts

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._files)
            self._context = context
        return self._context

    def _answer(self, head: bytes) -> bytes:
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        if len(words) != 3:
            return _response(400, b"not a request\n")
        if words[0] != "GET":
            return _response(405, b"only GET\n")
        path = words[1].partition("?")[0]
        if path == "/healthz":
            ailing = self._ailing()
            return _response(500, f"{ailing}\n".encode()) if ailing else _response(200, b"ok\n")
        if path != "/metrics":
            return _response(404, b"there are /metrics and /healthz\n")
        status = self._access.check(headers.get("authorization", ""), path)
        if status != 200:
            return _response(status, b"a bearer token that may get /metrics is needed\n")
        try:
            return _response(200, self._render())
        except Exception as error:  # Redis is away, for one: the scraper is told
            log.warning("no metrics: %s", error)
            return _response(503, f"no metrics: {error}\n".encode())


def pages(metrics: Metrics, more: Callable[[], bytes] = lambda: b"") -> Callable[[], bytes]:
    """A `render` for counted metrics; `more` makes further families."""
    made: list[Callable[[], bytes]] = []

    def render() -> bytes:
        if not made:
            from telemetry.page import Page

            made.append(Page(metrics).text)
        return made[0]() + more()

    return render


def _bound(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        listener.bind((address, port))
        listener.listen(16)
        listener.settimeout(1.0)  # so that the end is noticed
    except OSError:
        listener.close()
        raise
    return listener


def _head(stream: ssl.SSLSocket) -> bytes:
    """The request line and the headers. Raises ValueError when they are too long or break off."""
    head = b""
    while b"\r\n\r\n" not in head:
        part = stream.recv(4096)
        head += part
        if not part or len(head) > MAX_HEAD:
            raise ValueError("no whole request")
    return head


def _response(status: int, body: bytes) -> bytes:
    return (
        f"HTTP/1.1 {status} {REASONS.get(status, 'Error')}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body
