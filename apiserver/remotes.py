"""The API servers beside this one: which group and version each answers for, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cluster.cache import Cache, Event
from kube.conditions import is_true
from kube.objects import Json

STORAGE = "apiservices.apiregistration.k8s.io"
CUSTOM_PRIORITY = 1000  # of groups of custom resources, which have no priority of their own


@dataclass(slots=True)
class Known:
    """What a server said of itself when it was last asked."""

    resources: list[Json] = field(default_factory=list)  # its APIResourceList
    current: bool = False  # whether it could be asked
    v3: str = ""  # where its OpenAPI v3 document of the group and version is, with the hash
    v2: bytes = b""  # its OpenAPI v2 document
    v2_tag: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Remote:
    """One APIService that names a service. `available`: what its condition says."""

    name: str
    group: str
    version: str
    namespace: str
    service: str
    port: int
    bundle: str
    insecure: bool
    priority: int
    available: bool
    known: Known

    @property
    def host(self) -> str:
        """The name that its certificate must have."""
        return f"{self.service}.{self.namespace}.svc"


class Remotes:
    """All of a cluster, kept current from the cache. `generation` changes with what discovery or OpenAPI would show."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._found: dict[tuple[str, str], Remote] = {}
        self.generation = 0
        cache.subscribe(self._events)
        self._read()

    def all(self) -> list[Remote]:
        return list(self._found.values())

    def of(self, group: str, version: str) -> Remote | None:
        """The server that answers for a group and version in place of this one."""
        return self._found.get((group, version)) if self._found else None

    def learnt(self) -> None:
        """What is known of a server has changed."""
        self.generation += 1

    def _events(self, events: Sequence[Event]) -> None:
        if any(event.key.storage == STORAGE for event in events):
            self._read()

    def _read(self) -> None:
        known = {remote.name: remote.known for remote in self._found.values()}
        found = [
            remote for entry in self._cache.list(STORAGE) if (remote := _remote(entry.shared(), known)) is not None
        ]
        self._found = {(remote.group, remote.version): remote for remote in found}
        self.generation += 1


def _remote(obj: Json, known: dict[str, Known]) -> Remote | None:
    spec, name = obj.get("spec") or {}, obj["metadata"]["name"]
    service = spec.get("service")
    if not service:
        return None
    return Remote(
        name,
        spec.get("group") or "",
        spec.get("version") or "",
        service["namespace"],
        service["name"],
        service.get("port") or 443,
        spec.get("caBundle") or "",
        bool(spec.get("insecureSkipTLSVerify")),
        spec.get("groupPriorityMinimum") or 0,
        is_true(obj.get("status"), "Available"),
        known.get(name) or Known(),
    )
