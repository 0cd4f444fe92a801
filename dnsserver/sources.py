"""Services, endpoint slices, namespaces and (where they are verified) pods of the API -> `Records`, and word of what
changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from client import ApiStatusError, Client, Reflector, resource_path
from dnsserver.metrics import Metrics
from dnsserver.records import Name, Pod, Records, Service, Slice, pod_of, service_of, slice_of
from dnsserver.zone import pods_of
from kube import clock
from kube.objects import Json

CONTACT = 10.0  # seconds between looks whether the API answers
LIVE = "status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown"  # pods whose addresses are their own


class Sources:
    """Follows the API. When it goes away the records stay as they were: stale rather than nothing.

    `changed(service)` is called after each change, `everything()` when namespaces changed.
    """

    def __init__(
        self,
        client: Client,
        records: Records,
        metrics: Metrics,
        changed: Callable[[Name], None],
        everything: Callable[[], None],
    ) -> None:
        self._client, self._records, self._metrics = client, records, metrics
        self._changed, self._everything = changed, everything
        self.contact = 0.0  # epoch seconds when the API last answered; 0 when it never did
        self.reachable = False
        self._reflectors = (
            Reflector(
                client,
                resource_path("v1", "namespaces"),
                transform=_slim(lambda obj: None),
                on_add=lambda new: self._namespace(new, self._records.namespaces.add),
                on_delete=lambda gone: self._namespace(gone, self._records.namespaces.discard),
            ),
            Reflector(
                client,
                resource_path("v1", "services"),
                transform=_slim(service_of),
                on_add=lambda new: self._service(None, new),
                on_update=self._service,
                on_delete=self._service_gone,
            ),
            Reflector(
                client,
                resource_path("discovery.k8s.io/v1", "endpointslices"),
                transform=_slim(slice_of),
                on_add=lambda new: self._slice(None, new),
                on_update=self._slice,
                on_delete=self._slice_gone,
            ),
        )

        self._pods_wanted = asyncio.Event()
        self._following: asyncio.Task[None] | None = None  # the pods

    @property
    def synced(self) -> bool:
        """Whether everything but pods has been read once."""
        return all(reflector.synced.is_set() for reflector in self._reflectors)

    @property
    def complete(self) -> bool:
        """Whether everything that is followed has been read once."""
        return self.synced and (self._records.pods_read or not self._pods_wanted.is_set())

    async def run(self) -> None:
        """Runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            for reflector in self._reflectors:
                group.create_task(reflector.run())
            group.create_task(self._look())
            while True:
                await self._pods_wanted.wait()
                pods = Reflector(
                    self._client,
                    resource_path("v1", "pods"),
                    {"fieldSelector": LIVE},
                    transform=_slim(pod_of),
                    on_add=lambda new: self._pod(None, new["record"]),
                    on_update=lambda old, new: self._pod(old["record"], new["record"]),
                    on_delete=self._pod_gone,
                    on_sync=self._pods_read,
                )
                self._following = group.create_task(pods.run())
                await asyncio.wait([self._following])

    def follow_pods(self, wanted: bool) -> None:
        """Follow pods from now on, or no longer: there are many, and they change the most."""
        if wanted:
            self._pods_wanted.set()
            return
        self._pods_wanted.clear()
        if self._following is not None:
            self._following.cancel()
            self._following = None
        self._records.forget_pods()

    async def _look(self) -> None:
        while True:
            try:
                await self._client.get("/version")
                self.reachable, self.contact = True, time.time()
            except (ApiStatusError, OSError):
                self.reachable = False
            await asyncio.sleep(CONTACT if self.reachable else 1.0)

    # -- changes --------------------------------------------------------------------------------------------------------

    def _namespace(self, obj: Json, note: Callable[[str], None]) -> None:
        note(obj["metadata"]["name"])
        self._everything()

    def _service(self, old: Json | None, new: Json) -> None:
        service: Service = new["record"]
        if old is None or old["record"] != service:
            self._records.put_service(service)
            self._changed((service.namespace, service.name))

    def _service_gone(self, obj: Json) -> None:
        key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
        self._records.drop_service(key)
        self._changed(key)

    def _slice(self, old: Json | None, new: Json) -> None:
        before: Slice | None = old["record"] if old else None
        piece: Slice = new["record"]
        if before == piece:
            return
        if before is not None and before.service != piece.service:
            self._records.drop_slice(before.service, before.name)
            self._changed(before.service)
        self._records.put_slice(piece)
        self._changed(piece.service)
        self._note_delay(before, piece)

    def _slice_gone(self, obj: Json) -> None:
        piece: Slice = obj["record"] if "record" in obj else slice_of(obj)
        self._records.drop_slice(piece.service, piece.name)
        self._changed(piece.service)

    def _pod(self, old: Pod | None, new: Pod) -> None:
        if old != new:
            self._records.put_pod(new)
            self._changed(pods_of(new.namespace))

    def _pod_gone(self, obj: Json) -> None:
        self._records.drop_pod((obj["metadata"]["namespace"], obj["metadata"]["name"]))
        self._changed(pods_of(obj["metadata"]["namespace"]))

    def _pods_read(self) -> None:
        self._records.pods_read = True

    def _note_delay(self, before: Slice | None, piece: Slice) -> None:
        service = self._records.services.get(piece.service)
        if not (self.synced and service and service.headless and piece.triggered):
            return
        if before is not None and before.triggered == piece.triggered:
            return
        try:
            happened = clock.parse(piece.triggered)
        except ValueError:
            return  # an annotation that anybody may write
        kind = "headless_with_selector" if service.selector else "headless_without_selector"
        self._metrics.programmed(kind, max(time.time() - happened, 0.0))


def _slim(record: Callable[[Json], object]) -> Callable[[Json], Json]:
    """Keeps of an object what a reflector compares, and the record made of it."""

    def transform(obj: Json) -> Json:
        meta = obj["metadata"]
        kept = {name: meta[name] for name in ("namespace", "name", "uid", "resourceVersion") if name in meta}
        return {"metadata": kept, "record": record(obj)}

    return transform
