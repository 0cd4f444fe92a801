"""What of a request goes into the audit log, and when: see `cluster.audit`. Without a policy, nothing but an Audit-ID."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from apiserver import negotiation
from apiserver.response import Answer, Response, Stream
from cluster.audit.events import COMPLETE, PANIC, RECEIVED, STARTED, Event, sources
from cluster.audit.policy import Subject
from kube.errors import ApiError
from kube.objects import Json
from kube.users import User

if TYPE_CHECKING:
    from apiserver.request import Request

ID = b"audit-id"


def begin(request: Request, user: User | None) -> None:
    """Somebody is known, or (None) refused as nobody known."""
    log, info = request.state.audit, request.info
    if log is None:
        return
    what = Subject(
        None if user is None else user.name,
        () if user is None else user.groups,
        info.verb,
        "" if info.is_resource else info.path,
        info.group,
        info.resource,
        info.subresource,
        info.namespace,
        info.name,
    )
    query = request.scope["query_string"].decode("latin-1")
    client = request.scope.get("client")
    forwarded = [*request.headers(b"x-forwarded-for"), *request.headers(b"x-real-ip")]
    request.event = log.begin(
        what,
        user,
        request.audit_id,
        f"{request.raw_path}?{query}" if query else request.raw_path,
        sources(forwarded, str(client[0]) if client else ""),
        request.header(b"user-agent"),
        info.version,
    )
    if request.event is not None and user is not None:
        request.event.annotations.update(request.annotations)
        request.event.stage(RECEIVED)


def failed(event: Event, error: Exception) -> None:
    """A bug of ours ended the request."""
    words = f"{type(error).__name__}: {error}"[:1_000]
    event.stage(PANIC, {"metadata": {}, "status": "Failure", "reason": "InternalError", "message": words, "code": 500})


def answering(request: Request, event: Event, answer: Answer) -> None:
    """An answer is about to be sent."""
    if isinstance(answer, Stream):
        event.stage(STARTED, _status(answer))
    elif event.wants_response and isinstance(answer, Response) and answer.pieces:
        event.response = (answer.content_type, answer.body)


def answered(event: Event, answer: Answer | None) -> None:
    """All is sent, or the client has left (None: before there was an answer)."""
    event.stage(COMPLETE, None if answer is None else _status(answer))


def _status(answer: Answer) -> Json:
    if isinstance(answer, Response) and answer.status >= 400 and answer.content_type == negotiation.JSON:
        try:
            told = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            told = None
        if isinstance(told, dict) and told.get("kind") == "Status":
            return {
                "metadata": {},
                **{key: told[key] for key in ("status", "message", "reason", "code") if told.get(key)},
            }
    return {"metadata": {}, "code": answer.status}


def decode(content_type: str, body: bytes) -> object:
    """A body as JSON, for the writer's thread. Raises ValueError."""
    form = negotiation.media_type(content_type)
    try:
        if form.endswith("json"):  # patches too
            return negotiation.from_json(body)
        return negotiation.from_yaml(body) if form.endswith("yaml") else negotiation.decode(content_type, body)
    except ApiError as error:
        raise ValueError(str(error)) from error
