"""A steady load of writes with a record of what was acknowledged, and watchers that record what they saw."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from client import load as load_kubeconfig

NAMESPACE = "load"
PATH = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
Lost = (OSError, http.client.HTTPException, ValueError)  # the connection, or an answer cut short


class Seen(NamedTuple):
    """One change: its revision, what it was, the object's name and the number in it."""

    revision: int
    type: str
    name: str
    value: int


class Api:
    """One connection to the API server, made anew when it is lost."""

    def __init__(self, kubeconfig: Path) -> None:
        config = load_kubeconfig(str(kubeconfig))
        self._address = config.server.removeprefix("https://")
        self._token = config.token
        self._context = ssl.create_default_context(cadata=(kubeconfig.parent / "pki" / "ca.crt").read_text())
        self._connection: http.client.HTTPSConnection | None = None

    def open(self, method: str, path: str, body: Any = None, timeout: float = 5) -> http.client.HTTPResponse:
        """The answer, its body still unread. Raises one of `Lost`."""
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(self._address, context=self._context, timeout=timeout)
        data = None if body is None else json.dumps(body)
        try:
            self._connection.request(
                method, path, data, {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
            )
            return self._connection.getresponse()
        except Lost:
            self.drop()
            raise

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and decoded body. Raises one of `Lost`: then nobody knows whether the request was carried out."""
        try:
            answer = self.open(method, path, body)
            return answer.status, json.loads(answer.read())
        except Lost:
            self.drop()
            raise

    def drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Writer(threading.Thread):
    """Creates, updates and deletes a handful of ConfigMaps, each value one above the last; nobody else writes them."""

    def __init__(self, kubeconfig: Path, number: int, stop: threading.Event) -> None:
        super().__init__(name=f"writer-{number}", daemon=True)
        self._api, self._number, self._stop_event = Api(kubeconfig), number, stop
        self.acknowledged: list[Seen] = []
        self.held: dict[str, int | None] = {}  # name -> value; None: it is deleted
        self.uncertain = 0  # requests whose answer was lost
        self.refused: list[Any] = []  # answers that should not have been given
        self.longest = 0.0  # seconds between two acknowledgements at most

    def run(self) -> None:
        last, turn = time.monotonic(), 0
        while not self._stop_event.wait(0.01):
            name, turn = f"w{self._number}-{turn % 5}", turn + 1
            try:
                self._write(name, turn)
            except Lost:
                self.uncertain += 1
                self._find_out(name)
            now = time.monotonic()
            self.longest, last = max(self.longest, now - last), now

    def _write(self, name: str, turn: int) -> None:
        value = self.held.get(name)
        if value is not None and turn % 17 == 0:
            self._note("DELETED", name, *self._api.call("DELETE", f"{PATH}/{name}"))
            return
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": str(turn)}}
        if value is None:
            self._note("ADDED", name, *self._api.call("POST", PATH, obj))
        else:
            self._note("MODIFIED", name, *self._api.call("PUT", f"{PATH}/{name}", obj))

    def _note(self, type_: str, name: str, code: int, answer: Any) -> None:
        if code not in (200, 201):
            if code < 500:  # the server may be unwell, but then it says so
                self.refused.append((type_, name, code, answer))
            self._find_out(name)
        elif type_ == "DELETED":
            self.held[name] = None
            self.acknowledged.append(Seen(0, type_, name, 0))
        else:
            value = int(answer["data"]["value"])
            self.held[name] = value
            self.acknowledged.append(Seen(int(answer["metadata"]["resourceVersion"]), type_, name, value))

    def _find_out(self, name: str) -> None:
        """Read what holds, until somebody answers."""
        while not self._stop_event.is_set():
            try:
                code, answer = self._api.call("GET", f"{PATH}/{name}")
            except Lost:
                time.sleep(0.05)
                continue
            if code in (200, 404):
                self.held[name] = int(answer["data"]["value"]) if code == 200 else None
                return


class Watcher(threading.Thread):
    """Follows the ConfigMaps from a revision on; after each loss from the last one seen."""

    def __init__(self, kubeconfig: Path, number: int, revision: int, stop: threading.Event) -> None:
        super().__init__(name=f"watcher-{number}", daemon=True)
        self._api, self._stop_event = Api(kubeconfig), stop
        self.revision, self.events, self.resumed = revision, list[Seen](), 0
        self.failure = ""

    def run(self) -> None:
        while not self._stop_event.is_set():
            try:
                for event in self._follow():
                    self._take(event)
            except Lost:
                time.sleep(0.05)
            self._api.drop()
            self.resumed += 1

    def _follow(self) -> Iterator[Any]:
        path = f"{PATH}?watch=1&allowWatchBookmarks=true&resourceVersion={self.revision}&timeoutSeconds=600"
        answer = self._api.open("GET", path, timeout=2)
        if answer.status != 200:
            if answer.status < 500:
                self.failure = f"{answer.status} {answer.read()!r}"
            return
        # A line may be cut off where the server died; what is not whole has not been seen.
        while (line := answer.readline()).endswith(b"\n"):
            yield json.loads(line)
            if self._stop_event.is_set():
                return

    def _take(self, event: Any) -> None:
        if event["type"] == "ERROR":
            self.failure = str(event["object"])
            return
        meta = event["object"]["metadata"]
        self.revision = int(meta["resourceVersion"])
        if event["type"] != "BOOKMARK":
            value = int(event["object"]["data"]["value"])
            self.events.append(Seen(self.revision, event["type"], meta["name"], value))


class Load:
    """Writers and watchers on one cluster."""

    def __init__(self, kubeconfig: Path, writers: int = 3, watchers: int = 3) -> None:
        self._stop, self._stop_watching = threading.Event(), threading.Event()
        self.api = Api(kubeconfig)
        code, listed = self.api.call("GET", PATH)
        assert code == 200, listed
        start = int(listed["metadata"]["resourceVersion"])
        self.watchers = [Watcher(kubeconfig, i, start, self._stop_watching) for i in range(watchers)]
        self.writers = [Writer(kubeconfig, i, self._stop) for i in range(writers)]
        for thread in (*self.watchers, *self.writers):
            thread.start()

    def acknowledged(self) -> int:
        return sum(len(writer.acknowledged) for writer in self.writers)

    def stop_writing(self) -> None:
        self._stop.set()
        for writer in self.writers:
            writer.join(15)

    def stop(self) -> None:
        self.stop_writing()
        self._stop_watching.set()
        for watcher in self.watchers:
            watcher.join(15)

    def held(self) -> dict[str, int]:
        """What the writers know to be there."""
        return {name: value for writer in self.writers for name, value in writer.held.items() if value is not None}
