"""A request as the handlers see it: who, about what, with which options and body."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from apiserver import negotiation
from apiserver.negotiation import View
from apiserver.paths import RequestInfo, parse
from cluster.audit.events import Event, id_of
from kube import schema
from kube.errors import ApiError, BadRequest, Invalid, MethodNotAllowed, RequestEntityTooLarge, not_supported
from kube.users import ANONYMOUS, User

if TYPE_CHECKING:
    from apiserver.fairness.control import Ticket
    from apiserver.state import State

Receive = Callable[[], Awaitable[dict[str, Any]]]

MAX_BODY = 3 * 1024 * 1024
OPTIONS = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions", "DELETE": "DeleteOptions"}


class Request:
    """One HTTP request. `user` is known after authentication, `info` from the start."""

    __slots__ = (
        "_headers",
        "_query",
        "annotations",
        "audit_id",
        "event",
        "info",
        "method",
        "raw_path",
        "receive",
        "scope",
        "state",
        "ticket",
        "user",
        "warnings",
    )

    def __init__(self, scope: dict[str, Any], receive: Receive, state: State) -> None:
        self.scope, self.receive, self.state = scope, receive, state
        self.warnings: list[str] = []
        self.method: str = scope["method"]
        self.raw_path: str = scope["raw_path"].decode("latin-1")
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        query = scope["query_string"]
        self._query: dict[str, list[str]] = parse_qs(query.decode("latin-1"), keep_blank_values=True) if query else {}
        self.info: RequestInfo = parse(self.method, scope["path"], bool_of(self.query("watch")))
        self.user: User = ANONYMOUS
        self.event: Event | None = None  # of the audit log
        self.annotations: dict[str, str] = {}  # what authentication has to say there
        self.ticket: Ticket | None = None  # what it holds of this server, once it is known whose it is
        self.audit_id = id_of(self.header(b"audit-id"))

    def header(self, name: bytes) -> str:
        """A header by its name in lower case, "" if absent; the last one of several."""
        value = self._headers.get(name)
        return value.decode("latin-1") if value is not None else ""

    def headers(self, name: bytes) -> list[str]:
        """All headers of a name."""
        return [value.decode("latin-1") for key, value in self.scope["headers"] if key == name]

    def query(self, name: str) -> str:
        values = self._query.get(name)
        return values[0] if values else ""

    def queries(self, name: str) -> list[str]:
        return self._query.get(name, [])

    def has_query(self, name: str) -> bool:
        return name in self._query

    def integer(self, name: str) -> int | None:
        """An integer option of 64 bits, None if absent. Raises BadRequest."""
        text = self.query(name)
        if not text:
            return None
        if not _INTEGER.fullmatch(text):
            raise BadRequest(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        digits = text.lstrip("+-0")
        value = int(text) if len(digits) < 20 else 2**64
        if not -(2**63) <= value < 2**63:
            raise BadRequest(f'strconv.ParseInt: parsing "{text}": value out of range')
        return value

    def flag(self, name: str) -> bool:
        """A boolean option; anything but a form of false is true, as Kubernetes reads it."""
        return bool_of(self.query(name)) or (self.has_query(name) and not self.query(name))

    @property
    def noted(self) -> dict[str, str]:
        """Where admission leaves its annotations for the audit log."""
        return self.event.annotations if self.event is not None else {}

    @property
    def dry_run(self) -> bool:
        return check_dry_run(self.queries("dryRun"), OPTIONS.get(self.method, "DeleteOptions"))

    @property
    def pretty(self) -> bool:
        """Whether JSON is to be indented: where it is asked for, else for those who look at it themselves."""
        asked = self.query("pretty")
        return asked in _TRUE if asked else self.header(b"user-agent").startswith(("curl", "Wget", "Mozilla/5.0"))

    @property
    def view(self) -> View:
        """The representation to answer in. Raises NotAcceptable."""
        return negotiation.view(self.header(b"accept"))

    async def gone(self) -> None:
        """Returns when the client goes away. Nothing is left to be read of the request's body."""
        while (await self.receive())["type"] != "http.disconnect":
            continue

    async def body(self) -> bytes:
        """The whole body. Raises RequestEntityTooLarge."""
        body = await self._body()
        if self.event is not None and self.event.wants_request and body:
            self.event.request = (self.header(b"content-type"), body)
        return body

    async def _body(self) -> bytes:
        declared = self.header(b"content-length")
        if declared.isdecimal() and int(declared) > MAX_BODY:
            raise too_large()
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise BadRequest("the client went away before it had sent the whole body")
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > MAX_BODY:
                raise too_large()
            chunks.append(chunk)
            if not message.get("more_body"):
                return b"".join(chunks)

    async def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises BadRequest, UnsupportedMediaType."""
        body = await self.body()
        kind = self.header(b"content-type")
        value = await negotiation.apart(lambda: negotiation.decode(kind, body), body, kind)
        if not isinstance(value, dict):
            raise BadRequest("the body of the request must be a JSON object")
        return value


_INTEGER = re.compile(r"[+-]?[0-9]+")
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})


def too_large() -> RequestEntityTooLarge:
    return RequestEntityTooLarge(f"limit is {MAX_BODY}")


def bool_of(text: str) -> bool:
    return text not in ("", "0", "false", "False", "f", "F", "FALSE")


def check_dry_run(values: list[str], options: str = "DeleteOptions") -> bool:
    """Whether `dryRun` was asked for. Raises Invalid for anything but All."""
    given = [value for value in values if value]
    if any(value != "All" for value in given):
        raise Invalid(options, "", [not_supported("dryRun", given[0], ["All"])], "meta.k8s.io")
    return bool(given)


def check_types(definition: str, kind: str, obj: dict[str, Any]) -> None:
    """Decode a body in place. Raises BadRequest for a field of a wrong type."""
    errors, _ = schema.check(definition, obj)
    if errors:
        raise BadRequest(f"{kind} cannot be handled: {errors[0]}")


def only(request: Request, *verbs: str) -> None:
    """Raises MethodNotAllowed for any other verb."""
    if request.info.verb not in verbs:
        raise not_allowed()


def not_allowed() -> ApiError:
    return MethodNotAllowed("the server does not allow this method on the requested resource", details={})


def resource_not_found() -> ApiError:
    return ApiError("the server could not find the requested resource", code=404, reason="NotFound", details={})
