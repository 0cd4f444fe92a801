"""Runs controllers on the events of a real cache, as the feeder would: a key only runs when a watch names it."""

from __future__ import annotations

import copy
import time
from typing import Any

from cluster.cache import Cache
from cluster.events import Recorder
from cluster.store import Key
from cluster.verbs import Session
from controllers.feeder import EVERYTHING
from controllers.runtime import Context, Controller
from kube.objects import Json


class Drive:
    """`run()` processes keys until none is left; `after` holds when a key wants to be looked at again.

    With `late`, mappers see events when `run()` begins, as of a feeder that lags: the cache is further by then. `lost` holds
    the numbers of events that no mapper sees. `close()` ends it.
    """

    def __init__(self, cache: Cache, monkeypatch: Any, *controllers: Controller) -> None:
        self.cache, self.controllers, self.offset = cache, controllers, 0.0
        self.session = Session(1, "system:admin", cache, cache.store)
        self.ctx = Context(self.session, cache, self.now)
        self.events: list[tuple[str, str, str]] = []
        self.after: dict[str, float | None] = {}
        self._pending: dict[tuple[int, str], None] = {}
        monkeypatch.setattr(
            Recorder,
            "event",
            lambda _, session, obj, *told: self.events.append((obj["metadata"]["name"], told[1], told[2])),
        )
        self.late, self.lost, self._told = False, frozenset[int](), 0
        self._waiting: list[Any] = []
        self.close = cache.subscribe(self._hear)

    def now(self) -> float:
        return time.time() + self.offset

    def _hear(self, events: Any) -> None:
        numbered = list(enumerate(events, self._told))
        self._told += len(numbered)
        self._waiting += [event for number, event in numbered if number not in self.lost]
        if not self.late:
            self._feed()

    def _feed(self) -> None:
        events, self._waiting = self._waiting, []
        for event in events:
            for number, controller in enumerate(self.controllers):
                for watch in controller.watches:
                    if watch.storage in (event.key.storage, EVERYTHING) and (watch.when is None or watch.when(event)):
                        for entry in filter(None, (event.entry, event.previous)):
                            self._pending.update(((number, key), None) for key in watch.keys(entry, self.cache))

    def run(self, rounds: int = 200) -> None:
        for _ in range(rounds):
            self.cache.refresh()
            self._feed()
            if not self._pending:
                return
            keys, self._pending = self._pending, {}
            for number, controller in enumerate(self.controllers):
                mine = [key for n, key in keys if n == number]
                if mine:
                    for key, outcome in controller.reconcile_many(mine, self.ctx).items():
                        if isinstance(outcome, Exception):
                            raise outcome
                        self.after[key] = outcome
        raise AssertionError(f"no end after {rounds} rounds: {list(self._pending)[:5]}")

    def again(self, key: str) -> float | None:
        """Run one key of every controller that knows it, as a delay that ran out would."""
        self._pending.update(((n, key), None) for n in range(len(self.controllers)))
        self.run()
        return self.after.get(key)

    # -- objects -----------------------------------------------------------------------------------------------------

    def namespace(self, name: str = "default") -> None:
        self.session.create("namespaces", "", {"metadata": {"name": name}})
        if self.get("serviceaccounts", "default", name) is None:
            self.session.create("serviceaccounts", name, {"metadata": {"name": "default"}})

    def create(
        self, storage: str, name: str, body: Json | None = None, namespace: str = "default", **meta: Any
    ) -> Json:
        body = copy.deepcopy(body or {})
        status = body.pop("status", None)
        made = self.session.create(storage, namespace, {"metadata": {"name": name, **meta}, **body})
        if status is not None:
            made["status"] = {**(made.get("status") or {}), **status}
            made = self.session.update(storage, namespace, name, made, "status")
        return made

    def pod(
        self,
        name: str,
        namespace: str = "default",
        node: str = "",
        ip: str = "",
        ready: bool = True,
        spec: Json | None = None,
        **meta: Any,
    ) -> Json:
        body = {
            "spec": {
                "containers": [{"name": "a", "image": "a:1"}],
                **({"nodeName": node} if node else {}),
                **(spec or {}),
            }
        }
        made = self.create("pods", name, body, namespace, **meta)
        if node or ip:
            made["status"].update(
                phase="Running",
                podIP=ip,
                podIPs=[{"ip": ip}] if ip else [],
                conditions=[{"type": "Ready", "status": str(ready), "lastTransitionTime": "2026-01-01T00:00:00Z"}],
            )
            made = self.session.update("pods", namespace, name, made, "status")
        return made

    def get(self, storage: str, name: str, namespace: str = "default") -> Json | None:
        self.cache.refresh()
        entry = self.cache.get(Key(storage, namespace, name))
        return entry.object() if entry else None

    def names(self, storage: str, namespace: str | None = "default") -> list[str]:
        self.cache.refresh()
        return [entry.key.name for entry in self.cache.list(storage, namespace)]
