"""The pods behind a Service and what clients need to know of them; shared by the controllers of this package."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from controllers.runtime import join_key
from kube.objects import Json
from kube.pods import podutil

if TYPE_CHECKING:
    from cluster.cache import Cache, Entry, Event
    from cluster.store import Key


HEADLESS = "service.kubernetes.io/headless"  # label of what belongs to a headless Service
MEMO = 8_192  # decoded pods and service selectors kept; when full, all are dropped


class _PodIP(msgspec.Struct, frozen=True, gc=False):
    ip: str = ""


class _Condition(msgspec.Struct, frozen=True, gc=False):
    type: str = ""
    status: str = ""


class _ContainerPort(msgspec.Struct, frozen=True, gc=False):
    containerPort: int = 0
    name: str = ""
    protocol: str = "TCP"


class _Container(msgspec.Struct, frozen=True, gc=False):
    ports: list[_ContainerPort] | None = None
    restartPolicy: str | None = None


class _Spec(msgspec.Struct, frozen=True, gc=False):
    nodeName: str = ""
    hostname: str = ""
    subdomain: str = ""
    containers: list[_Container] = []
    initContainers: list[_Container] | None = None


class _Status(msgspec.Struct, frozen=True, gc=False):
    phase: str = ""
    podIP: str = ""
    podIPs: list[_PodIP] | None = None
    conditions: list[_Condition] | None = None


class _Meta(msgspec.Struct, frozen=True, gc=False):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] | None = None
    deletionTimestamp: str | None = None


class Backend(msgspec.Struct, frozen=True, gc=False):
    """A pod as an endpoint. Two equal ones mean the same to every client of the Service."""

    metadata: _Meta
    spec: _Spec = _Spec()
    status: _Status = _Status()

    @property
    def ready(self) -> bool:
        return any(c.type == "Ready" and c.status == "True" for c in self.status.conditions or ())

    @property
    def terminating(self) -> bool:
        return self.metadata.deletionTimestamp is not None

    @property
    def finished(self) -> bool:
        return self.status.phase in podutil.FINISHED

    def addresses(self, family: str) -> list[str]:
        """The pod's addresses of a family (`IPv4`, `IPv6`)."""
        found = [p.ip for p in self.status.podIPs or ()] or ([self.status.podIP] if self.status.podIP else [])
        return [ip for ip in found if (":" in ip) == (family == "IPv6")]

    def target(self) -> Json:
        """The object reference to the pod."""
        meta = self.metadata
        return {"kind": "Pod", "namespace": meta.namespace, "name": meta.name, "uid": meta.uid}


class Port(NamedTuple):
    """A port of an endpoint; `number` is where the pod listens."""

    name: str
    number: int
    protocol: str
    app: str | None


_decode = msgspec.json.Decoder(Backend).decode
T = TypeVar("T")
_backends: dict[Key, tuple[int, Backend]] = {}
_selectors: dict[Key, tuple[int, Mapping[str, str] | None]] = {}


def backend(entry: Entry) -> Backend:
    """The pod of a cache entry, decoded once a revision."""
    return _remembered(_backends, entry, lambda e: _decode(e.body))


def selector(entry: Entry) -> Mapping[str, str] | None:
    """The selector of a Service's cache entry; None if it has none or names an external host."""
    return _remembered(_selectors, entry, lambda e: _selector_of(e.object()))


def _selector_of(service: Json) -> Mapping[str, str] | None:
    spec = service.get("spec") or {}
    return None if spec.get("type") == "ExternalName" else spec.get("selector") or None


def _remembered(memo: dict[Key, tuple[int, T]], entry: Entry, decode: Callable[[Entry], T]) -> T:
    found = memo.get(entry.key)
    if found is not None and found[0] == entry.revision:
        return found[1]
    if len(memo) >= MEMO:
        memo.clear()
    value = decode(entry)
    memo[entry.key] = entry.revision, value
    return value


def selecting_keys(entry: Entry, cache: Cache) -> Iterable[str]:
    """Mapper: the Services that select a pod."""
    labels = entry.labels
    if labels:
        for service in cache.list("services", entry.key.namespace):
            wanted = selector(service)
            if wanted is not None and wanted.items() <= labels.items():
                yield join_key(*service.key[1:])


def pod_matters(event: Event) -> bool:
    """Whether a pod's change can be seen by clients of a Service; restarts and heartbeats cannot."""
    if event.previous is None or event.type != "MODIFIED":
        return True
    old, new = backend(event.previous), backend(event.entry)
    return (old.metadata, old.spec, old.status.phase, old.ready, old.status.podIP, old.status.podIPs) != (
        new.metadata,
        new.spec,
        new.status.phase,
        new.ready,
        new.status.podIP,
        new.status.podIPs,
    )


def backends_of(cache: Cache, service: Json) -> list[Backend]:
    """The pods that a Service with a selector stands for, in order of their names; finished ones are left out."""
    wanted = _selector_of(service)
    if wanted is None:
        return []
    found = (
        backend(entry)
        for entry in cache.list("pods", service["metadata"]["namespace"])
        if wanted.items() <= entry.labels.items()
    )
    return [pod for pod in found if not pod.finished]


def ports_of(service: Json, pod: Backend) -> tuple[Port, ...]:
    """The Service's ports as this pod serves them; a named target port that the pod lacks is left out."""
    found = []
    for port in service["spec"].get("ports") or []:
        number = _target_port(port, pod)
        if number:
            found.append(Port(port.get("name") or "", number, port.get("protocol") or "TCP", port.get("appProtocol")))
    return tuple(found)


def _target_port(port: Json, pod: Backend) -> int:
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    sidecars = [c for c in pod.spec.initContainers or () if c.restartPolicy == "Always"]
    for container in (*pod.spec.containers, *sidecars):
        for candidate in container.ports or ():
            if candidate.name == target and candidate.protocol == (port.get("protocol") or "TCP"):
                return candidate.containerPort
    return 0


def is_headless(service: Json) -> bool:
    return (service.get("spec") or {}).get("clusterIP") == "None"


def hostname_of(service: Json, pod: Backend) -> str:
    """The pod's name in DNS under the Service, "" if it has none there."""
    return pod.spec.hostname if pod.spec.hostname and pod.spec.subdomain == service["metadata"]["name"] else ""


def publishes_not_ready(service: Json) -> bool:
    return bool((service.get("spec") or {}).get("publishNotReadyAddresses"))
