"""The Service `kubernetes` and its endpoints, by which pods find this server: kept as they should be.

So is the ConfigMap by which API servers beside this one know it.

Whoever deletes them (`kubectl delete all --all`) gets them back, and a server that is started on another port announces it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from apiserver.aggregation import target
from apiserver.bootstrap import reachable
from cluster.bootstrap import system
from cluster.store import Key
from kube.users import APISERVER

if TYPE_CHECKING:
    from apiserver.state import State
    from cluster.cache import Event
    from kube.objects import Json
    from kube.registry import Kind

log = logging.getLogger(__name__)

RETRY = 10.0  # seconds after which a write that failed is tried again
PAUSE = 0.5  # seconds between looks: somebody else may want it otherwise, again and again


class OwnService:
    """`address` and `port`: where pods reach this server."""

    def __init__(self, state: State, address: str, port: int) -> None:
        self._cache, self._session = state.cache, state.session(APISERVER)
        self._wanted = {key: (kind, obj) for kind, key, obj in _objects(state, address, port)}
        self._good: dict[Key, int] = {}  # the revision of each that is known to be right
        self._wake = threading.Event()

    def start(self) -> None:
        """Look now, and whenever one of them changes."""
        self._cache.subscribe(self._events)
        threading.Thread(target=self._run, name="own-service", daemon=True).start()

    def _events(self, events: Sequence[Event]) -> None:
        if any(event.key in self._wanted for event in events):
            self._wake.set()

    def _run(self) -> None:
        while True:
            try:
                self._repair()
                self._wake.wait()
            except Exception as error:  # whatever it was (a full disk, another writer): it may pass
                log.warning("the service kubernetes is not as it should be: %s", error)
                time.sleep(RETRY)
            self._wake.clear()
            time.sleep(PAUSE)

    def _repair(self) -> None:
        for key, (kind, obj) in self._wanted.items():
            entry = self._cache.get(key)
            if entry is None or entry.revision != self._good.get(key):
                made = self._session.patch(
                    kind,
                    key.namespace,
                    key.name,
                    obj,
                    "application/apply-patch+yaml",
                    field_manager="kube-apiserver",
                    force=True,
                )
                self._good[key] = int(made["metadata"]["resourceVersion"])


def _objects(state: State, address: str, port: int) -> Sequence[tuple[Kind, Key, Json]]:
    found = []
    for obj in [*system.kubernetes_service(state.settings, address, port), _authentication(state.pki)]:
        kind, meta = state.registry.by_gvk(obj["apiVersion"], obj["kind"]), obj["metadata"]
        if kind is not None and (obj["kind"] in ("Service", "ConfigMap") or reachable(state, address)):
            found.append((kind, Key(kind.storage, meta["namespace"], meta["name"]), obj))
    return found


def _authentication(pki: Path) -> Json:
    """By what API servers beside this one know its clients, and its own word for who they are."""
    one = {"username": target.USER, "uid": target.UID, "group": target.GROUP}
    headers = {f"requestheader-{key}-headers": orjson.dumps([header]).decode() for key, header in one.items()}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"},
        "data": {
            "client-ca-file": (pki / "ca.crt").read_text(),
            "requestheader-allowed-names": orjson.dumps([target.CERTIFICATE]).decode(),
            "requestheader-client-ca-file": (pki / f"{target.AUTHORITY}.crt").read_text(),
            "requestheader-extra-headers-prefix": orjson.dumps([target.EXTRA]).decode(),
            **headers,
        },
    }
