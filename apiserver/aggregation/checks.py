"""Whether the API servers beside this one are there, and what they serve: asked now and then, told in their APIServices."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import orjson

from apiserver.aggregation import target
from apiserver.backend import Target
from apiserver.remotes import STORAGE, Remote
from apiserver.state import State
from apiserver.subresources.proxy import SLICES
from cluster.cache import Event
from cluster.store import Key
from kube import conditions
from kube.errors import ApiError, ServiceUnavailable
from kube.objects import Json
from kube.users import APISERVER, User
from web import blocking
from web.http1 import Response

log = logging.getLogger(__name__)

EVERY = 30.0  # seconds
PAUSE = 0.2  # seconds between looks, however much changes
TIMEOUT = 5.0
LARGEST = 32 * 1024 * 1024  # bytes of an OpenAPI document
CHECKER = User("system:kube-aggregator", groups=("system:masters",))


class Verdict(NamedTuple):
    """What the condition `Available` is to say."""

    status: str
    reason: str
    message: str


class Checks:
    """`start()` looks at once, whenever something changes, and every so often."""

    def __init__(self, state: State) -> None:
        self._state, self._cache, self._remotes = state, state.cache, state.remotes
        self._session = state.session(APISERVER)
        self._wake = threading.Event()

    def start(self) -> None:
        self._cache.subscribe(self._events)
        threading.Thread(target=self._run, name="aggregation", daemon=True).start()

    def _events(self, events: Sequence[Event]) -> None:
        for event in events:
            storage = event.key.storage
            if storage == STORAGE or (storage in ("services", SLICES) and self._concerns(event)):
                self._wake.set()

    def _concerns(self, event: Event) -> bool:
        service = event.entry.labels.get("kubernetes.io/service-name", event.key.name)
        return any(
            (remote.namespace, remote.service) == (event.key.namespace, service) for remote in self._remotes.all()
        )

    def _run(self) -> None:
        while True:
            try:
                self._look()
            except Exception as error:  # whatever it was, it may pass; the checks go on
                log.warning("the API servers beside this one cannot be checked: %s", error)
            time.sleep(PAUSE)
            self._wake.wait(EVERY)
            self._wake.clear()

    def _look(self) -> None:
        self._tell_local()
        remotes = self._remotes.all()
        if not remotes:
            return
        with ThreadPoolExecutor(min(len(remotes), 8), "aggregation") as pool:
            for remote, verdict in zip(remotes, pool.map(self._check, remotes), strict=True):
                self._tell(remote.name, verdict)

    def _tell_local(self) -> None:
        """An APIService that names no service any more is answered by this server."""
        for entry in self._cache.list(STORAGE):
            obj = entry.shared()
            if not (obj.get("spec") or {}).get("service") and not conditions.is_true(obj.get("status"), "Available"):
                self._tell(entry.key.name, Verdict("True", "Local", "Local APIServices are always available"))

    def _tell(self, name: str, verdict: Verdict) -> None:
        entry = self._cache.get(Key(STORAGE, "", name))
        if entry is None:
            return
        condition = {"type": "Available", **verdict._asdict()}
        known = conditions.find(entry.shared().get("status"), "Available") or {}
        if all(known.get(key) == value for key, value in condition.items()):
            return

        def change(obj: Json) -> None:
            conditions.update(obj.setdefault("status", {}), condition)

        try:
            self._session.mutate(STORAGE, "", name, change, subresource="status")
        except ApiError as error:
            log.warning("the state of APIService %s cannot be told: %s", name, error.message)

    def _check(self, remote: Remote) -> Verdict:
        verdict = self._reachable(remote)
        was, remote.known.current = remote.known.current, verdict.status == "True"
        if was != remote.known.current:
            self._remotes.learnt()
        return verdict

    def _reachable(self, remote: Remote) -> Verdict:
        entry = self._cache.get(Key("services", remote.namespace, remote.service))
        named = f'service/{remote.service} in "{remote.namespace}"'
        if entry is None:
            return Verdict("False", "ServiceNotFound", f"{named} is not present")
        spec = entry.object()["spec"]
        ports = [port["port"] for port in spec.get("ports") or ()]
        if spec.get("type") != "ExternalName" and remote.port not in ports:
            return Verdict("False", "ServicePortError", f"{named} is not listening on port {remote.port}")
        try:
            to = target.of(remote, self._cache, self._state.pki)
        except ServiceUnavailable:
            return Verdict("False", "MissingEndpoints", f"endpointslices for {named} have no addresses")
        except ValueError as error:  # what is no certificate
            return Verdict("False", "FailedDiscoveryCheck", f"its caBundle cannot be read: {error}")
        return self._discover(remote, to)

    def _discover(self, remote: Remote, to: Target) -> Verdict:
        path = f"/apis/{remote.group}/{remote.version}"
        url = f"https://{to}{path}"
        try:
            answer = self._get(to, path)
            if answer.status // 100 != 2:
                text = f"failing or missing response from {url}: bad status from {url}: {answer.status}"
                return Verdict("False", "FailedDiscoveryCheck", text)
            resources = orjson.loads(answer.body).get("resources") or []
            self._learn(remote, to, resources)
        except (OSError, ValueError, AttributeError) as error:
            text = f"failing or missing response from {url}: {error or 'timed out'}"
            return Verdict("False", "FailedDiscoveryCheck", text)
        return Verdict("True", "Passed", "all checks passed")

    def _learn(self, remote: Remote, to: Target, resources: list[Json]) -> None:
        """Keep what it says of its resources and their schemas, for discovery and OpenAPI."""
        known, path = remote.known, f"apis/{remote.group}/{remote.version}"
        index = self._get(to, "/openapi/v3")
        places = orjson.loads(index.body).get("paths") or {} if index.status == 200 else {}
        v3 = (places.get(path) or {}).get("serverRelativeURL") or ""
        sent = {"If-None-Match": known.v2_tag} if known.v2_tag else {}
        document = self._get(to, "/openapi/v2", sent)
        v2, tag = known.v2, known.v2_tag
        if document.status == 200:
            v2, tag = document.body, document.headers.get("etag") or ""
        if (resources, v3, v2) != (known.resources, known.v3, known.v2):
            known.resources, known.v3, known.v2 = resources, v3, v2
            self._remotes.learnt()
        known.v2_tag = tag

    def _get(self, to: Target, path: str, headers: dict[str, str] | None = None) -> Response:
        who = {name.decode("latin-1"): value.decode() for name, value in target.identity(CHECKER)}
        return blocking.request(
            f"https://{to}{path}",
            headers={"Accept": "application/json", **who, **(headers or {})},
            tls=to.tls,
            server_name=to.name,
            timeout=TIMEOUT,
            limit=LARGEST,
        )
