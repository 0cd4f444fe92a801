"""The recorder of nodes' programs: created once, then counted; made anew when it is gone; spam is not sent."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from client.api import Client
from client.errors import ApiStatusError
from client.events import Recorder
from kube.objects import Json

POD: Json = {"metadata": {"name": "web", "namespace": "shop", "uid": "u1"}}


class Api:
    """Keeps events by path."""

    def __init__(self) -> None:
        self.kept: dict[str, Json] = {}

    async def create(self, path: str, obj: Json) -> Json:
        self.kept[f"{path}/{obj['metadata']['name']}"] = obj
        return obj

    async def patch(self, path: str, patch: Json, **_: Any) -> Json:
        if path not in self.kept:
            raise ApiStatusError({"code": 404, "reason": "NotFound"})
        self.kept[path].update(patch)
        return self.kept[path]


async def _told(api: Api, recorder: Recorder, messages: list[str]) -> list[Json]:
    for message in messages:
        recorder.event(POD, "Warning", "Failed", message)
    running = asyncio.ensure_future(recorder.run())
    while not recorder._queue.empty():
        await asyncio.sleep(0)
    running.cancel()
    return list(api.kept.values())


def test_the_same_again_is_counted_and_what_is_gone_made_anew() -> None:
    async def scenario() -> None:
        api = Api()
        recorder = Recorder(cast(Client, api), "kubelet", "node-1")
        (event,) = await _told(api, recorder, ["broke"] * 3)
        assert (event["count"], event["involvedObject"]["kind"], event["source"]["host"]) == (3, "Pod", "node-1")
        api.kept.clear()
        (event,) = await _told(api, recorder, ["broke"])
        assert event["count"] == 4 and event["metadata"]["namespace"] == "shop"

    asyncio.run(scenario())


def test_a_flood_is_combined_and_cut() -> None:
    async def scenario() -> None:
        api = Api()
        found = await _told(api, Recorder(cast(Client, api), "kubelet", "node-1"), [f"m{n}" for n in range(100)])
        assert len(found) == 10 and sum(event["count"] for event in found) == 25

    asyncio.run(scenario())
