"""ConfigMaps and Secrets that this node's pods refer to, each kept fresh by a watch of its own.

A node may read single objects that its pods name, not whole collections; so each reference is a reflector with a
field selector, ended when the last pod that asked is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from client import Client, Reflector, resource_path
from kube.objects import Json

Key = tuple[str, str, str]


class Sources:
    """`changed(pod uid)` is called when something the pod refers to changed."""

    def __init__(self, client: Client, changed: Callable[[str], None], patience: float = 10.0) -> None:
        self._client, self._changed, self._patience = client, changed, patience
        self._watched: dict[Key, tuple[Reflector, asyncio.Task[None]]] = {}
        self._users: dict[Key, set[str]] = {}

    async def get(self, kind: str, namespace: str, name: str, pod_uid: str) -> Json | None:
        """The object, or None when there is none; TimeoutError when the API does not tell."""
        key = (kind, namespace, name)
        self._users.setdefault(key, set()).add(pod_uid)
        if key not in self._watched:
            self._watched[key] = self._watch(key)
        reflector, _ = self._watched[key]
        try:
            async with asyncio.timeout(self._patience):
                await reflector.synced.wait()
        except TimeoutError:
            raise TimeoutError(f"{kind} {namespace}/{name} could not be read from the API in time") from None
        return reflector.items.get((namespace, name))

    def _watch(self, key: Key) -> tuple[Reflector, asyncio.Task[None]]:
        kind, namespace, name = key

        def notify(*objects: Json) -> None:
            for uid in list(self._users.get(key, ())):
                self._changed(uid)

        reflector = Reflector(
            self._client,
            resource_path("v1", kind, namespace),
            {"fieldSelector": f"metadata.name={name}"},
            on_add=notify,
            on_update=notify,
            on_delete=notify,
        )
        return reflector, asyncio.create_task(reflector.run(), name=f"watch {kind} {namespace}/{name}")

    def release(self, pod_uid: str) -> None:
        """The pod is gone; what nobody else uses is no longer watched."""
        for key, users in list(self._users.items()):
            users.discard(pod_uid)
            if not users:
                del self._users[key]
                self._watched.pop(key)[1].cancel()
