"""The Events of one request: at each stage that the policy wants, a line goes to the writer."""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from cluster.audit.policy import LEVELS, NONE, REQUEST, REQUEST_RESPONSE, Policy, Subject, Verdict
from cluster.audit.writer import MAX_EVENT, Line, Writer
from kube import clock
from kube.objects import Json
from kube.users import User

MAX_AGENT, MAX_ID, MAX_HOPS = 1024, 64, 16
RECEIVED, STARTED, COMPLETE, PANIC = "RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"

Body = tuple[str, bytes]  # (content type, what was sent)
Decode = Callable[[str, bytes], Any]  # raises ValueError


def new_id() -> str:
    """A random UUID."""
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:]}"


def id_of(given: str) -> str:
    """The Audit-ID that a client gave its request, else a new one."""
    given = given[:MAX_ID]
    return given if given and given.isascii() and given.isprintable() else new_id()


def sources(forwarded: Sequence[str], peer: str) -> list[str]:
    """The addresses that a request names as its way, and the one that it really came from, which is the last."""
    found = []
    for word in [word.strip() for value in forwarded for word in value.split(",")][-MAX_HOPS:]:
        try:
            found.append(str(ipaddress.ip_address(word)))
        except ValueError:
            continue
    return [*found, peer] if peer and found[-1:] != [peer] else found or []


class Event:
    """One request. `request` and `response` are kept where the level asks for them: `wants`."""

    __slots__ = ("_fields", "_level", "_log", "_verdict", "annotations", "ended", "received", "request", "response")

    def __init__(self, log: AuditLog, verdict: Verdict, fields: Json) -> None:
        self._log, self._verdict, self._fields, self._level = log, verdict, fields, verdict.level
        self.annotations: dict[str, str] = {}
        self.request: Body | None = None
        self.response: Body | None = None
        self.received = time.time()
        self.ended = False

    @property
    def wants_request(self) -> bool:
        return self._level >= REQUEST

    @property
    def wants_response(self) -> bool:
        return self._level >= REQUEST_RESPONSE

    def impersonated(self, user: User) -> None:
        self._fields["impersonatedUser"] = user.info()

    def decided(self, allowed: bool, reason: str = "") -> None:
        """What authorisation said."""
        self.annotations["authorization.k8s.io/decision"] = "allow" if allowed else "forbid"
        self.annotations["authorization.k8s.io/reason"] = reason

    def about(self, obj: Any) -> None:
        """What the object that was sent says of itself, where the address did not."""
        reference, meta = self._fields.get("objectRef"), obj.get("metadata") if isinstance(obj, dict) else None
        if reference is None or not isinstance(meta, dict):
            return
        for field in ("name", "namespace", "uid", "resourceVersion"):
            value = meta.get(field)
            if value and isinstance(value, str) and not reference.get(field):
                reference[field] = value[:256]

    def stage(self, stage: str, status: Json | None = None) -> None:
        """Write this stage, if the policy wants it. The last one, COMPLETE or PANIC, is written once."""
        if self.ended:
            return
        self.ended = stage in (COMPLETE, PANIC)
        if stage in self._verdict.omit:
            return
        bodies = [("requestObject", self.request), ("responseObject", self.response)]
        self._log.writer.put(
            _Line(
                {**self._fields, "stage": stage},
                status,
                [(field, body) for field, body in bodies if body is not None and stage != RECEIVED],
                self.received,
                time.time(),
                dict(self.annotations),
                self._verdict.omit_managed_fields,
                self._log.decode,
            )
        )


class _Line(Line):
    """One stage of an event; made to bytes in the writer's thread."""

    __slots__ = ("_annotations", "_at", "_bodies", "_decode", "_fields", "_omit", "_received", "_status", "size")

    def __init__(
        self,
        fields: Json,
        status: Json | None,
        bodies: list[tuple[str, Body]],
        received: float,
        at: float,
        annotations: dict[str, str],
        omit_managed_fields: bool,
        decode: Decode,
    ) -> None:
        self._fields, self._status, self._received, self._at = fields, status, received, at
        self._annotations, self._omit, self._decode = annotations, omit_managed_fields, decode
        size = sum(len(body) for _, (_, body) in bodies)
        if size > MAX_EVENT:
            bodies, size = [], 0
            annotations["audit.k8s.io/truncated"] = "true"
        self._bodies = bodies
        self.size = 2048 + size

    def encode(self) -> bytes:
        fields = self._fields
        if self._status is not None:
            fields["responseStatus"] = self._status
        for name, (kind, body) in self._bodies:
            try:
                value = self._decode(kind, body)
            except ValueError:  # what cannot be read was refused
                continue
            if self._omit:
                value = _without_managed_fields(value)
            fields[name] = value
        fields["requestReceivedTimestamp"], fields["stageTimestamp"] = _micro(self._received), _micro(self._at)
        if self._annotations:
            fields["annotations"] = self._annotations
        return orjson.dumps(fields, default=str, option=orjson.OPT_APPEND_NEWLINE)


def _micro(seconds: float) -> str:
    return f"{clock.stamp(seconds)[:-1]}.{int(seconds * 1e6) % 1_000_000:06d}Z"


def _without_managed_fields(value: Any) -> Any:
    for one in (value, *(value.get("items") or ())) if isinstance(value, dict) else ():
        meta = one.get("metadata") if isinstance(one, dict) else None
        if isinstance(meta, dict):
            meta.pop("managedFields", None)
    return value


class AuditLog:
    """A policy and where its events go."""

    def __init__(self, policy: Policy, writer: Writer, decode: Decode = lambda kind, body: orjson.loads(body)) -> None:
        self.policy, self.writer, self.decode = policy, writer, decode

    def begin(
        self,
        what: Subject,
        user: User | None,
        audit_id: str,
        uri: str,
        source_ips: Iterable[str],
        agent: str,
        version: str = "",
    ) -> Event | None:
        """The event of a request that has just come, None where the policy wants nothing of it."""
        verdict = self.policy.judge(what)
        if verdict.level == NONE:
            return None
        fields: Json = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": LEVELS[verdict.level],
            "auditID": audit_id,
            "stage": "",
            "requestURI": uri,
            "verb": what.verb,
            "user": user.info() if user is not None else {},
            "sourceIPs": list(source_ips),
            "userAgent": agent if len(agent) <= MAX_AGENT else agent[:MAX_AGENT] + "...TRUNCATED",
        }
        if what.resource:
            reference = {
                "resource": what.resource,
                "namespace": what.namespace,
                "name": what.name,
                "apiGroup": what.group,
                "apiVersion": version,
                "subresource": what.subresource,
            }
            fields["objectRef"] = {key: value for key, value in reference.items() if value}
        return Event(self, verdict, fields)
