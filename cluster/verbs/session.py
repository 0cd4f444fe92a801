"""The verbs of the API without HTTP: what the API server, the controllers and the scheduler write through.

    session = Session(1, "system:kube-scheduler", cache, store)
    pod = session.create("pods", "default", {"metadata": {"name": "web"}, "spec": {…}})
    session.mutate("pods", "default", "web", lambda pod: pod["metadata"]["labels"].update(a="b"))

Every write passes the same pipeline: defaults, mutating admission, preparation, validation, validating admission, store.
A kind is given as a `Kind` or by its storage name (`pods`, `deployments.apps`). Errors are those of `kube.errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any

import orjson

from cluster import crypto
from cluster.admission.chain import Chain, default_chain
from cluster.cache import Cache, Entry
from cluster.plan import run, together
from cluster.settings import from_environment
from cluster.store import Key, Store
from cluster.verbs import bind, create, delete, delete_collection, evict, patch, update
from cluster.verbs.call import Call, Outcome
from kube import registry, users
from kube.errors import ApiError
from kube.objects import Json
from kube.registry import Context, Kind, Settings
from kube.users import User

KindLike = Kind | str


class Session:
    """A user's way to change one cluster. Cheap to make; thread-safe."""

    def __init__(
        self,
        cluster: int,
        user: User | str,
        cache: Cache,
        store: Store,
        *,
        settings: Settings | None = None,
        chain: Chain | None = None,
    ) -> None:
        self.cluster, self.user, self.cache, self.store = cluster, users.of(user), cache, store
        self.settings = settings or from_environment()
        self.chain = chain or default_chain()
        self.registry = registry.of_cluster(cluster)

    def kind(self, kind: KindLike) -> Kind:
        found = self.registry.by_storage(kind) if isinstance(kind, str) else kind
        if found is None:
            raise LookupError(f"no kind is stored as {kind!r}")
        return found

    def context(self, dry_run: bool = False) -> Context:
        return Context(self.cluster, self.user, self.cache, self.settings, dry_run)

    def read(self, key: Key, *, to_delete: bool = False) -> Entry | None:
        """The newest committed state of an object. Raises InternalError if it cannot be decrypted, but for a deletion."""
        self.cache.refresh()
        entry = self.cache.get(key)
        if entry is not None and not to_delete:
            crypto.check(entry.body)
        return entry

    def call(
        self, kind: KindLike, namespace: str = "", name: str = "", subresource: str | None = None, **options: Any
    ) -> Call:
        return Call(self, self.kind(kind), namespace, name, subresource or "", **options)

    # -- one object --------------------------------------------------------------------------------------------------

    def get(self, kind: KindLike, namespace: str, name: str) -> Json | None:
        """The object, None if there is none."""
        entry = self.read(self.call(kind, namespace, name).key)
        return entry.object() if entry else None

    def create(self, kind: KindLike, namespace: str, obj: Json, dry_run: bool = False) -> Json:
        """Create an object; returns it as stored. Raises AlreadyExists, Invalid, Forbidden."""
        return run(create.plan(self.call(kind, namespace, dry_run=dry_run), copied(obj)), self.store).obj

    def update(self, kind: KindLike, namespace: str, name: str, obj: Json, subresource: str | None = None) -> Json:
        """Replace an object. With a resourceVersion in it, only that version (Conflict otherwise)."""
        return run(update.replace(self.call(kind, namespace, name, subresource), copied(obj)), self.store).obj

    def mutate(
        self,
        kind: KindLike,
        namespace: str,
        name: str,
        change: Callable[[Json], Json | None],
        subresource: str | None = None,
    ) -> Json:
        """Read, change, write, again if somebody else wrote in between. `change` edits in place or returns the object."""

        def transform(obj: Json) -> Json:
            changed = change(obj)
            return obj if changed is None else changed

        return run(update.plan(self.call(kind, namespace, name, subresource), transform), self.store).obj

    def patch(
        self,
        kind: KindLike,
        namespace: str,
        name: str,
        body: Any,
        content_type: str,
        subresource: str | None = None,
        **options: Any,
    ) -> Json:
        """Apply a patch of one of the content types of the API. `options`: field_manager, force for server-side apply."""
        call = self.call(kind, namespace, name, subresource, **options)
        return run(patch.plan(call, body, content_type), self.store).obj

    def delete(self, kind: KindLike, namespace: str, name: str, options: Json | None = None) -> Json:
        """Delete, or mark for deletion; returns the last state. `options` are DeleteOptions. Raises NotFound, Conflict."""
        return run(delete.plan(self.call(kind, namespace, name), options or {}), self.store).obj

    def evict(self, namespace: str, name: str, options: Json | None = None) -> None:
        """Delete a pod if its disruption budget allows it; raises TooManyRequests if not now."""
        run(evict.plan(self.call("pods", namespace, name, "eviction"), options or {}), self.store)

    # -- many, in one commit -------------------------------------------------------------------------------------------

    def delete_collection(
        self, kind: KindLike, namespace: str, options: Json | None = None, *, labels: str = "", fields: str = ""
    ) -> list[Json]:
        """Delete what the selectors match; returns the objects."""
        call = self.call(kind, namespace)
        return [o.obj for o in run(delete_collection.plan(call, options or {}, labels, fields), self.store)]

    def create_many(self, objects: Iterable[tuple[KindLike, str, Json]]) -> list[Json | ApiError]:
        """Create (kind, namespace, object) triples; each one's object or error."""
        return self._many(create.plans((self.call(kind, namespace), obj) for kind, namespace, obj in objects))

    def update_many(
        self, objects: Iterable[tuple[KindLike, str, Json]], subresource: str | None = None
    ) -> list[Json | ApiError]:
        """Replace (kind, namespace, object) triples; each one's object or error."""
        return self._many(
            update.replace(self.call(kind, namespace, obj["metadata"]["name"], subresource), copied(obj))
            for kind, namespace, obj in objects
        )

    def delete_many(
        self, keys: Iterable[tuple[KindLike, str, str]], options: Json | None = None, uids: Iterable[str] | None = None
    ) -> list[Json | ApiError]:
        """Delete (kind, namespace, name) triples; each one's last state or error. `uids`: only these objects, in order."""
        each: Iterable[Json] = repeat(options or {})
        if uids is not None:
            each = ({**(options or {}), "preconditions": {"uid": uid}} for uid in uids)
        return self._many(delete.plan(self.call(*key), its) for key, its in zip(keys, each, strict=False))

    def bind_many(self, bindings: Sequence[tuple[str, str, str]]) -> list[Json | ApiError]:
        """Bind (namespace, pod, node) triples; each one's pod or error."""
        return self._many(
            bind.plan(self.call("pods", namespace, pod, "binding"), {"target": {"name": node}})
            for namespace, pod, node in bindings
        )

    def _many(self, plans: Iterable[Any]) -> list[Json | ApiError]:
        results: list[Outcome | ApiError] = run(together(plans), self.store)
        return [r if isinstance(r, ApiError) else r.obj for r in results]


def copied(obj: Json) -> Json:
    """A deep copy: callers make many objects of one template, and the pipeline changes what it is given."""
    copy: Json = orjson.loads(orjson.dumps(obj))
    return copy
