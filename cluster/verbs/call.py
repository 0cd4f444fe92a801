"""What a verb is asked to do: the kind, the name, the options of the request; and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from cluster.store import Key
from kube.errors import AlreadyExists, ApiError, Conflict, Invalid, NotFound
from kube.objects import Json
from kube.registry import Context, Kind

if TYPE_CHECKING:
    from cluster.verbs.session import Session


# How often a write is tried again when somebody else's came first: among many writers of one object somebody always
# wins, so that the bound only ends what can never succeed.
ATTEMPTS = 100


@dataclass(slots=True)
class Call:
    """One request. `warnings` collects what the client should be told although it succeeds, `annotations`
    what the audit log should.

    `field_validation` is Ignore, Warn or Strict: what happens with unknown fields. `applied`: a server-side apply, which
    brings its managedFields along. `part`: the subresource through which fields are owned, where the whole object is
    written for it (`scale`). `problems`: what a strict decoder has against the text of the body.
    """

    session: Session
    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    dry_run: bool = False
    field_manager: str = ""
    field_validation: str = "Ignore"
    force: bool = False
    applied: bool = False
    part: str = ""
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        return Key(self.kind.storage, self.namespace if self.kind.namespaced else "", self.name)

    @property
    def storage_kind(self) -> Kind:
        """The kind in whose version the object is kept and checked."""
        return self.session.registry.by_storage(self.kind.storage) or self.kind

    def context(self) -> Context:
        context = self.session.context(self.dry_run)
        context.api_version = self.kind.api_version
        return context

    def warn(self, messages: list[str]) -> None:
        self.warnings.extend(message for message in messages if message not in self.warnings)

    def not_found(self) -> ApiError:
        return NotFound(self.kind.plural, self.name, self.storage_kind.group)

    def exists(self, name: str) -> ApiError:
        return AlreadyExists(self.kind.plural, name, self.storage_kind.group)

    def conflict(self, detail: str = Conflict.MODIFIED) -> ApiError:
        return Conflict(self.kind.plural, self.name, self.storage_kind.group, detail)

    def invalid(self, name: str, errors: list[Any]) -> ApiError:
        return Invalid(self.kind.kind, name, errors, self.storage_kind.group)


@dataclass(slots=True)
class Outcome:
    """What a write left: the JSON of the object, in its storage version.

    `created`: it did not exist before. `gone`: it does not exist any more. `status`: what to answer instead of the object.
    `written`: the document that became the body, where the verb still has it.
    """

    body: bytes
    created: bool = False
    gone: bool = False
    status: Json | None = None
    written: Json | None = None

    @property
    def obj(self) -> Json:
        return self.written if self.written is not None else orjson.loads(self.body)


def ordered(obj: Json, kind: Kind) -> Json:
    """The object with `kind` and `apiVersion` first, as every stored body has them: lists cut them off as a prefix."""
    head: Json = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": obj["metadata"]}
    head.update((name, value) for name, value in obj.items() if name not in head)
    return head
