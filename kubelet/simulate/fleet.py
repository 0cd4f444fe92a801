"""The pods of simulated nodes: watched once, moved on with one patch each."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Collection
from ipaddress import IPv4Address

import orjson

from client import Client, Reflector, resource_path
from client.api import MERGE_PATCH
from kube import clock
from kube.objects import Json
from kube.pods import podutil
from kubelet.simulate import stages
from kubelet.simulate.pipe import Pipe, Request

log = logging.getLogger("kubelet.simulate")
FIRST_ADDRESS, ADDRESSES = int(IPv4Address("10.128.0.1")), 1 << 22


class Fleet:
    """Plays the kubelets of all nodes in `hosts` (node name to its address), which may grow while it runs."""

    def __init__(self, client: Client, pipe: Pipe, hosts: dict[str, str]) -> None:
        self._pipe, self._hosts = pipe, hosts
        self._numbers = itertools.count()
        self._busy: set[str] = set()
        self.moved = 0
        self.pods = Reflector(
            client,
            resource_path("v1", "pods"),
            on_add=self._look,
            on_update=lambda old, new: self._look(new),
            transform=stages.trim,
        )

    async def run(self) -> None:
        await self.pods.run()

    def look_again(self, nodes: Collection[str]) -> None:
        """Nodes that have just become ours may have pods already."""
        for pod in self.pods.items.values():
            if pod["node"] in nodes:
                self._look(pod)

    def _look(self, pod: Json) -> None:
        host = self._hosts.get(pod["node"])
        if host is None or pod["metadata"]["uid"] in self._busy:
            return
        if "deletionTimestamp" in pod["metadata"]:
            self._delete(pod)
        elif not stages.settled(pod):
            address = str(IPv4Address(FIRST_ADDRESS + next(self._numbers) % ADDRESSES))
            status = stages.status(pod, address, host, clock.now())
            body = orjson.dumps({"metadata": {"uid": pod["metadata"]["uid"]}, "status": status})
            self._send(pod, "PATCH", "status", body, MERGE_PATCH)

    def _delete(self, pod: Json) -> None:
        if pod["metadata"].get("finalizers") and pod["phase"] in podutil.FINISHED:
            return  # someone else has to let go of it first
        uid = pod["metadata"]["uid"]
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}}
        self._busy.add(uid)
        asyncio.get_running_loop().call_later(
            stages.stopping(pod), self._send, pod, "DELETE", "", orjson.dumps(options), "application/json"
        )

    def _send(self, pod: Json, method: str, subresource: str, body: bytes, content_type: str) -> None:
        metadata = pod["metadata"]
        path = resource_path("v1", "pods", metadata["namespace"], metadata["name"], subresource)
        self._busy.add(metadata["uid"])
        self._pipe.send(Request(method, path, body, content_type, lambda code: self._sent(pod, code)))

    def _sent(self, pod: Json, code: int) -> None:
        """The pod may have changed on while its request was on the way: it is looked at again."""
        metadata = pod["metadata"]
        self._busy.discard(metadata["uid"])
        self.moved += code < 400
        current = self.pods.items.get((metadata["namespace"], metadata["name"]))
        if current is not None and current is not pod:
            self._look(current)

    async def report(self, period: float = 10.0) -> None:
        """Logs the rate while there is work."""
        before, at = self.moved, time.monotonic()
        while True:
            await asyncio.sleep(period)
            now = time.monotonic()
            if self.moved != before:
                rate = (self.moved - before) / (now - at)
                log.info("%d pods moved on (%.0f/s), %d waiting", self.moved, rate, len(self._pipe))
            before, at = self.moved, now
