"""EventRateLimit: no flood of events fills the store, from one source, about one object, in one namespace or in all.

The limits are those of one process: API server, controllers and scheduler count what each of them writes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from typing import Annotated, Literal

from msgspec import Meta, Struct

from cluster.admission.plugin import CREATE, UPDATE, Plugin
from cluster.admission.request import Request
from cluster.configfile import read
from kube.errors import TooManyRequests
from kube.objects import Json
from kube.rates import Buckets

KEYS = 4096  # buckets of a limit that does not say how many
_Whole = Annotated[int, Meta(ge=1, le=2**31 - 1)]


class _Limit(Struct, forbid_unknown_fields=True):
    type: Literal["Server", "Namespace", "User", "SourceAndObject"]
    qps: _Whole
    burst: _Whole
    cacheSize: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0


class _Configuration(Struct, forbid_unknown_fields=True):
    apiVersion: Literal["eventratelimit.admission.k8s.io/v1alpha1"]
    kind: Literal["Configuration"]
    limits: Annotated[list[_Limit], Meta(min_length=1)]


class EventRateLimit(Plugin):
    operations = frozenset({CREATE, UPDATE})
    storages = frozenset({"events"})

    def __init__(self) -> None:
        self._limits: list[tuple[str, Buckets]] = []
        self._lock = threading.Lock()

    def configure(self, configuration: Json | None) -> None:
        if configuration is None:
            raise ValueError("it needs a configuration with limits")
        limits = read(_Configuration, configuration, "its configuration").limits
        self._limits = [(limit.type, Buckets(limit.burst, limit.qps, limit.cacheSize or KEYS)) for limit in limits]

    def validate(self, request: Request) -> None:
        if request.dry_run:
            return
        now = time.monotonic()
        keys = [_key(type_, request) for type_, _ in self._limits]
        with self._lock:  # each limit counts the event, also when another refuses it
            taken = [buckets.take(key, now) for key, (_, buckets) in zip(keys, self._limits, strict=True)]
        reached = [
            f"limit reached on type {type_} for key {_shown(key)}"
            for key, (type_, _), had in zip(keys, self._limits, taken, strict=True)
            if not had
        ]
        if reached:
            words = reached[0] if len(reached) == 1 else f"[{', '.join(reached)}]"
            raise TooManyRequests(f"Too many requests: {words}")


def _key(type_: str, request: Request) -> Hashable:
    if type_ == "Server":
        return ""
    if type_ == "Namespace":
        return request.namespace
    if type_ == "User":
        return request.user.name
    source, about = request.obj.get("source") or {}, request.obj.get("involvedObject") or {}
    return (
        *(source.get(name) or "" for name in ("component", "host")),
        *(about.get(name) or "" for name in ("kind", "namespace", "name", "uid", "apiVersion")),
    )


def _shown(key: Hashable) -> str:
    return "".join(key) if isinstance(key, tuple) else str(key)
