"""HTTP/1.1 without I/O: bytes in, requests or responses out; whatever way the bytes are cut gives the same."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

import httptools

from web.limits import Limits

TEXT, JSON, NDJSON, METRICS = (
    "text/plain; charset=utf-8",
    "application/json",
    "application/x-ndjson",
    "text/plain; version=0.0.4; charset=utf-8",
)
REASONS = {status.value: status.phrase for status in HTTPStatus} | {413: "Content Too Large"}
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


class Refusal(Exception):
    """An answer that is no success: `status`, the text that says why, and headers for it."""

    def __init__(self, status: int, why: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(why)
        self.status, self.headers = status, dict(headers or {})

    def forget(self) -> None:
        """Where it was raised: a connection that has ended would be held by its own frames until garbage is collected."""
        self.__traceback__ = self.__context__ = None


class ProtocolError(OSError):
    """What a server sends is no HTTP, or more than is taken."""


# -- what a server reads -------------------------------------------------------------------------------------------------


class Message:
    """A request whose head is whole; `body` grows until `complete`."""

    __slots__ = ("body", "complete", "expects", "headers", "keep", "length", "method", "target", "version")

    def __init__(self, method: str, target: str, headers: dict[str, str], version: str, keep: bool) -> None:
        self.method, self.target, self.headers, self.version, self.keep = method, target, headers, version, keep
        self.body = bytearray()
        self.complete = False
        self.expects = headers.get("expect", "").lower() == "100-continue" and version != "1.0"
        self.length = int(headers.get("content-length") or 0)

    @property
    def path(self) -> str:
        """Without the query, as it was sent."""
        return self._parts()[0]

    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self._parts()[1], keep_blank_values=True))

    def _parts(self) -> tuple[str, str]:
        if self.target.startswith("/"):
            path, _, query = self.target.partition("#")[0].partition("?")
            return path, query
        try:
            parts = urlsplit(self.target)
        except ValueError:
            return self.target, ""
        return parts.path, parts.query


class Head:
    """Bounds the heads of the requests on one connection, told of each step of its parser.

    `refusal`: why the parser was stopped; the parser itself tells of no more than that it was.
    """

    __slots__ = ("_count", "_limits", "_size", "_stuck", "begun", "moved", "refusal")

    def __init__(self, limits: Limits) -> None:
        self.begun = False
        """Some bytes of a head have come, and not yet all."""
        self.moved = False
        """What was fed last completed a head, or belonged to a body."""
        self.refusal: Refusal | None = None
        self._limits = limits
        self._count = self._size = self._stuck = 0

    def begin(self, waiting: int) -> None:
        """A request begins; so many before it are not answered yet. Raises Refusal."""
        self.begun, self._count, self._size = True, 0, 0
        if waiting > self._limits.pipelined:
            self.refuse(Refusal(429, f"more than {self._limits.pipelined} requests wait on this connection"))

    def grow(self, size: int) -> None:
        """So many bytes more of it. Raises Refusal."""
        self._size += size
        if self._size > self._limits.header_bytes:
            self.refuse(self._too_long())

    def header(self, name: bytes, value: bytes | None) -> None:
        """One header more, or a trailer. Raises Refusal."""
        self._count += 1
        self.grow(len(name) + len(value or b"") + 4)
        if self._count > self._limits.header_count:
            self.refuse(Refusal(431, f"more than {self._limits.header_count} headers"))

    def whole(self) -> None:
        self.begun, self.moved = False, True

    def fed(self, size: int) -> None:
        """The parser took so many bytes. Raises Refusal: what it holds back (a header without end) is in no callback yet."""
        self._stuck = 0 if self.moved else self._stuck + size
        self.moved = False
        if self._stuck > self._limits.header_bytes:
            self.refuse(self._too_long())

    def refuse(self, refusal: Refusal) -> None:
        self.refusal = refusal
        raise refusal  # the parser stops

    def _too_long(self) -> Refusal:
        return Refusal(431, f"more than {self._limits.header_bytes} bytes of headers")


class RequestReader:
    """`messages`: the requests whose head has come, the oldest first; who answers one takes it out."""

    def __init__(self, limits: Limits) -> None:
        self.messages: deque[Message] = deque()
        self._limits = limits
        self._head = Head(limits)
        self._target = b""
        self._headers: dict[str, str] = {}
        self._over = False
        self._reading: Message | None = None
        self._parser = httptools.HttpRequestParser(self)

    @property
    def begun(self) -> bool:
        """Some bytes of a head have come, and not yet all."""
        return self._head.begun

    def feed(self, data: bytes) -> None:
        """Raises Refusal for what is no request or too much; nothing more can be read then."""
        try:
            if not self._over:
                self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # No other protocol is spoken here: it is answered as if it had not been asked for, and nothing follows.
            self._over, self.messages[-1].keep, self._head.moved = True, False, True
        except httptools.HttpParserError as error:
            raise self._head.refusal or Refusal(400, f"this is no HTTP request: {error}") from None
        self._head.fed(len(data))

    # -- called by the parser -------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._target, self._headers = b"", {}
        self._head.begin(len(self.messages))

    def on_url(self, url: bytes) -> None:
        self._target += url
        self._head.grow(len(url))

    def on_header(self, name: bytes, value: bytes | None) -> None:
        self._head.header(name, value)
        if self._reading is None:  # else it is a trailer, which nobody here wants
            add_header(self._headers, name, value)

    def on_headers_complete(self) -> None:
        parser = self._parser
        if parser.get_http_version() not in ("1.0", "1.1"):
            self._head.refuse(Refusal(400, "this is no request of HTTP/1.1 or HTTP/1.0"))
        self._head.whole()
        self._reading = Message(
            parser.get_method().decode("latin-1"),
            self._target.decode("latin-1"),
            self._headers,
            parser.get_http_version(),
            parser.should_keep_alive(),
        )
        self.messages.append(self._reading)

    def on_body(self, body: bytes) -> None:
        assert self._reading is not None
        self._head.moved = True
        self._reading.body += body
        if len(self._reading.body) > self._limits.body_bytes:
            self._head.refuse(too_large(self._limits))

    def on_message_complete(self) -> None:
        assert self._reading is not None
        self._head.moved, self._reading.complete, self._reading = True, True, None


def too_large(limits: Limits) -> Refusal:
    return Refusal(413, f"send at most {limits.body_bytes} bytes at once")


def add_header(headers: dict[str, str], name: bytes, value: bytes | None) -> None:
    """Names in lower case; of a header that comes twice the values, with commas between them."""
    key, text = name.decode("latin-1").lower(), (value or b"").decode("latin-1").strip(" \t")
    headers[key] = f"{headers[key]}, {text}" if key in headers else text


# -- what a client reads -------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Response:
    """What a server answered: status, headers (names in lower case), and the body where it was read as a whole."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class ResponseReader:
    """One response after another, each after `begin`. `limit`: bytes of a body that is read as a whole."""

    MAX_HEAD, MAX_HEADERS = 64 * 1024, 200

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parser = httptools.HttpResponseParser(self)
        self.begin("")
        self.complete = True

    def begin(self, method: str, whole: bool = True) -> None:
        """A request was sent. `whole`: its answer's body is bounded."""
        self.response: Response | None = None
        self.pieces: list[bytes] = []
        self.size = 0  # bytes of `pieces`, not yet taken
        self.complete = self.begun = self.keep = False
        self._method, self._whole = method, whole
        self._headers: dict[str, str] = {}
        self._head = self._stuck = self._count = 0
        self._error: ProtocolError | None = None

    def feed(self, data: bytes) -> None:
        """Raises ProtocolError; nothing more can be read then."""
        if self.complete:
            raise ProtocolError("the server sends what was not asked for")
        self.begun, moved = True, len(self.pieces)
        known = self.response
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise ProtocolError("the server changes the protocol") from None
        except httptools.HttpParserError as error:
            raise self._error or ProtocolError(f"this is no HTTP answer: {error}") from None
        quiet = self.response is known and len(self.pieces) == moved and not self.complete
        self._stuck = self._stuck + len(data) if quiet else 0
        if self._stuck > self.MAX_HEAD:
            raise ProtocolError(f"more than {self.MAX_HEAD} bytes of headers")

    def end(self) -> None:
        """The server has closed. Raises ConnectionResetError or ProtocolError unless that ends the response."""
        if self.complete:
            return
        headers = self.response.headers if self.response else {}
        if self.response is None:
            raise ConnectionResetError(
                "the server closed the connection in the middle of its answer's headers"
                if self.begun
                else "the server closed the connection before it answered"
            )
        if "content-length" in headers or "transfer-encoding" in headers:
            raise ConnectionResetError("the server closed the connection in the middle of its answer")
        self.complete = True

    def take(self) -> bytes:
        """What has come of the body and was not yet taken."""
        found = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces, self.size = [], 0
        return found

    def whole(self) -> Response:
        """The response with its body, once it is complete."""
        assert self.response is not None
        self.response.body = self.take()
        return self.response

    def _refuse(self, why: str) -> None:
        self._error = ProtocolError(why)
        raise self._error

    # -- called by the parser -------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.complete:
            self._refuse("the server sends what was not asked for")

    def on_header(self, name: bytes, value: bytes | None) -> None:
        self._head += len(name) + len(value or b"") + 4
        self._count += 1
        if self._head > self.MAX_HEAD or self._count > self.MAX_HEADERS:
            self._refuse(f"more than {self.MAX_HEADERS} headers or {self.MAX_HEAD} bytes of them")
        if self.response is None:
            add_header(self._headers, name, value)

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:  # before that come hints such as 100 Continue
            self.response = Response(status, self._headers)
            self.keep = self._parser.should_keep_alive()
            if self._method == "HEAD":
                self.complete = True
                self._parser = httptools.HttpResponseParser(self)  # the old one waits for the body of a GET
        self._headers = {}

    def on_body(self, body: bytes) -> None:
        if self.complete:
            self._refuse("the server sends a body where none belongs")
        self.size += len(body)
        if self._whole and self.size > self._limit:
            self._refuse(f"its answer is longer than {self._limit} bytes")
        self.pieces.append(body)

    def on_message_complete(self) -> None:
        if self.response is not None:
            self.complete = True


# -- what both write -----------------------------------------------------------------------------------------------------


def response_head(status: int, headers: Mapping[str, str]) -> bytes:
    """Status line and headers. Raises ValueError when a header would not stay one."""
    return _head(f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}", headers)


def request_head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Request line and headers. Raises ValueError when a header, or the target, would not stay one."""
    if not target.startswith(("/", "*")) or " " in target:
        raise ValueError(f"{target[:80]!r} is no path to ask for")
    return _head(f"{method} {target} HTTP/1.1", headers)


def _head(line: str, headers: Mapping[str, str]) -> bytes:
    text = "\r\n".join([line, *(f"{name}: {value}" for name, value in headers.items()), "", ""])
    if text.count("\n") != len(headers) + 2 or text.count("\r") != len(headers) + 2 or "\0" in text:
        raise ValueError("a line break in a header")
    return text.encode("latin-1")


def chunk(piece: bytes) -> bytes:
    """A piece of a body whose length nobody knows yet."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def host_header(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
