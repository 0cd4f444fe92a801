"""The vocabulary of the store: keys, wanted writes, changes that happened, states that they left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import orjson

from kube.objects import Json


class Key(NamedTuple):
    """Where an object lives; `namespace` is empty for cluster-scoped kinds."""

    storage: str
    namespace: str
    name: str

    @property
    def group_resource(self) -> tuple[str, str]:
        resource, _, group = self.storage.partition(".")
        return group, resource


class Write(NamedTuple):
    """One wanted change.

    `expect`: the revision to replace; None replaces whatever is there (not for create). `claims`: the unique values the
    object holds from now on, None to leave them as they are.
    """

    op: Literal["create", "update", "delete"]
    key: Key
    body: Json | None = None
    expect: int | None = None
    claims: Sequence[tuple[str, str]] | None = None


class Change(NamedTuple):
    """One entry of the log. `type` is ADDED, MODIFIED or DELETED; `body` the JSON with its resourceVersion.

    `previous` is the revision of the state that was replaced, 0 when there was none.
    """

    revision: int
    type: str
    key: Key
    body: bytes
    at: float
    previous: int = 0


class Stored(NamedTuple):
    """What a write left behind: the object's revision and JSON."""

    key: Key
    revision: int
    body: bytes

    @property
    def obj(self) -> Json:
        obj: Json = orjson.loads(self.body)
        return obj


TYPES = {"A": "ADDED", "M": "MODIFIED", "D": "DELETED"}
