"""What kinds there are: names, scope, behaviour and columns of each.  A new kind costs one entry here.

A `Kind` is one API kind in one version. Versions of the same thing (HPA v1 and v2) share a `storage` name; the stored
form is that of the version whose `to_storage` is the identity. Kinds of a custom resource are registered per cluster;
what is stored of them may be older than their storage version, or its defaults: `from_storage` makes it good.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from kube.errors import FieldError
from kube.objects import Json

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Settings:
    """What of the cluster's configuration validation and defaulting need."""

    service_cidr: str = "10.96.0.0/16"
    pod_cidr: str = "10.244.0.0/16"
    node_port_range: tuple[int, int] = (30000, 32767)
    cluster_domain: str = "cluster.local"


class Entry(Protocol):
    """An object that is there, as its JSON."""

    @property
    def body(self) -> bytes: ...


class Reader(Protocol):
    """What a strategy may ask of the objects that are there already."""

    def list(self, storage: str, namespace: str | None = None) -> Sequence[Entry]: ...


@dataclass(slots=True)
class Context:
    """Who asks, and what a strategy may look at. `cache` is None only in tests of pure functions.

    `api_version` is the one of the request: rules for events differ between the two groups that serve them.
    """

    cluster: int = 1
    user: str = ""
    cache: Reader | None = None
    settings: Settings = field(default_factory=Settings)
    dry_run: bool = False
    api_version: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One printer column, as in `metav1.TableColumnDefinition`."""

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Scale:
    """Where `/scale` reads and writes: paths into the object, `selector` a label selector or a plain map."""

    replicas: str = "spec.replicas"
    status_replicas: str = "status.replicas"
    selector: str = "spec.selector"


class Strategy:
    """Behaviour of a kind on the way into the store. Methods are pure on JSON objects; they change `obj` in place.

    This base class is what most kinds share: a status that only `/status` writes, a generation that counts spec changes.
    """

    status = False
    generation = False
    unconditional_update = True
    create_on_update = False

    def default(self, obj: Json) -> None:
        """Fill in defaults; runs after decoding, on every write."""

    def prepare_create(self, obj: Json, ctx: Context) -> None:
        if self.status:
            obj.pop("status", None)
        if self.generation:
            obj["metadata"]["generation"] = 1

    def prepare_update(self, obj: Json, old: Json, ctx: Context) -> None:
        if self.status:
            keep(obj, old, "status")
        if self.generation:
            carry_generation(obj, old, changed=self.spec_of(obj) != self.spec_of(old))

    def spec_of(self, obj: Json) -> Any:
        """The part whose change raises `metadata.generation`."""
        return obj.get("spec")

    def prepare_status_update(self, obj: Json, old: Json, ctx: Context) -> None:
        """Only status and metadata pass (labels too, as in Kubernetes): everything else is taken from `old`."""
        for name in (obj.keys() | old.keys()) - {"status", "metadata"}:
            keep(obj, old, name)

    def prepare_delete(self, obj: Json) -> None:
        """What a first request to delete leaves in the object beside its mark: a finalizer, say."""

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        return []

    def validate_update(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return []

    def validate_status_update(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return []

    def warnings(self, obj: Json, old: Json | None, ctx: Context) -> list[str]:
        return []

    def claims(self, obj: Json) -> list[tuple[str, str]]:
        """Values that no other object of the cluster may hold, as (scope, value)."""
        return []


def version_rank(version: str) -> tuple[int, int, int, str]:
    """Sorts versions as Kubernetes prefers them: v2, v1, v1beta2, v1beta1, v1alpha1, then others by name."""
    match = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if match is None:
        return 3, 0, 0, version
    stage = {None: 0, "beta": 1, "alpha": 2}[match[2]]
    return stage, -int(match[1]), -int(match[3] or 0), version


def keep(obj: Json, old: Json, name: str) -> None:
    """Take one field from the old object, absent where it was absent."""
    if name in old:
        obj[name] = old[name]
    else:
        obj.pop(name, None)


def carry_generation(obj: Json, old: Json, changed: bool) -> None:
    obj["metadata"]["generation"] = old["metadata"].get("generation", 0) + (1 if changed else 0)


def age_columns() -> tuple[Column, ...]:
    """The two columns of a kind that declares none."""
    return (
        Column("Name", format="name", description="Name must be unique within a namespace."),
        Column("Created At", "date", description="CreationTimestamp is the server time of creation."),
    )


def age_cells(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], obj["metadata"].get("creationTimestamp")]


def identity(obj: Json) -> Json:
    return obj


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One kind in one API version; see the module's docstring.

    Where there is `convert`, a webhook makes the versions out of each other: `to_storage` and `from_storage` block until it
    answers, and raise ApiError when it does not. `convert(bodies)` asks for many stored objects at once, beforehand.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[str, ...] = ()
    definition: str = ""
    storage: str = ""
    strategy: Strategy = field(default_factory=Strategy)
    columns: tuple[Column, ...] = field(default_factory=age_columns)
    cells: Callable[[Json, float], list[Any]] = age_cells
    fields: dict[str, Callable[[Json], str]] = field(default_factory=dict)
    scale: Scale | None = None
    to_storage: Callable[[Json], Json] = identity
    from_storage: Callable[[Json], Json] = identity
    convert: Callable[[Sequence[bytes]], None] | None = None  # asks a webhook, see below
    verbatim: bool = True  # whether what is stored in this version is served as it is
    preferred: bool = True
    deprecation: str = ""  # what clients are warned of on every request
    list_kind: str = ""

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "singular", self.singular or self.kind.lower())
        put(self, "storage", self.storage or (f"{self.plural}.{self.group}" if self.group else self.plural))
        put(self, "list_kind", self.list_kind or self.kind + "List")

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


class Registry:
    """The kinds of one cluster: the built-in ones, and those that its custom resource definitions add."""

    def __init__(self, base: Registry | None = None) -> None:
        self._base = base
        self._by_path: dict[tuple[str, str, str], Kind] = {}
        self._by_gvk: dict[tuple[str, str], Kind] = {}
        self._by_storage: dict[str, Kind] = {}
        self.generation = 0

    def register(self, *kinds: Kind) -> None:
        for kind in kinds:
            self._by_path[kind.group, kind.version, kind.plural] = kind
            self._by_gvk[kind.api_version, kind.kind] = kind
            held = self._by_storage.get(kind.storage)
            if kind.to_storage is identity or held is None or held.api_version == kind.api_version:
                self._by_storage[kind.storage] = kind
        self.generation += 1

    def unregister(self, *kinds: Kind) -> None:
        for kind in kinds:
            self._by_path.pop((kind.group, kind.version, kind.plural), None)
            self._by_gvk.pop((kind.api_version, kind.kind), None)
            if self._by_storage.get(kind.storage) is kind:
                del self._by_storage[kind.storage]
        self.generation += 1

    def lookup(self, group: str, version: str, plural: str) -> Kind | None:
        found = self._by_path.get((group, version, plural))
        return found or (self._base.lookup(group, version, plural) if self._base else None)

    def by_gvk(self, api_version: str, kind: str) -> Kind | None:
        found = self._by_gvk.get((api_version, kind))
        return found or (self._base.by_gvk(api_version, kind) if self._base else None)

    def by_storage(self, storage: str) -> Kind | None:
        """The kind in whose version objects of this storage are kept."""
        found = self._by_storage.get(storage)
        return found or (self._base.by_storage(storage) if self._base else None)

    def all(self) -> Iterator[Kind]:
        if self._base:
            yield from self._base.all()
        yield from self._by_path.values()


BUILT_IN = Registry()
_clusters: dict[int, Registry] = {}


def register(*kinds: Kind) -> None:
    """Register built-in kinds; called by the modules of `kube.kinds` when they are imported."""
    BUILT_IN.register(*kinds)


def load() -> Registry:
    """Import every module of `kube.kinds`; returns the registry of the built-in kinds."""
    import kube.kinds

    for module in pkgutil.iter_modules(kube.kinds.__path__):
        importlib.import_module(f"kube.kinds.{module.name}")
    return BUILT_IN


def of_cluster(cluster: int = 1) -> Registry:
    """The registry of a cluster: built-in kinds and its custom ones."""
    if cluster not in _clusters:
        _clusters[cluster] = Registry(load())
    return _clusters[cluster]
