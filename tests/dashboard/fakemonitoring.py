"""A stand-in for the addon `monitoring`: the real reading of questions, and figures that follow from the time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlsplit

from kube.objects import Json
from monitoring.queries.answer import document, figure
from monitoring.queries.ask import Ask, AskError, parse
from tests.dashboard import world
from tests.dashboard.fakehttp import JsonHandler, listening

NAMES = {
    "container": ["web"],
    "pod": ["web-1", "web-2"],
    "workload": ["Deployment/web"],
    "namespace": ["guestbook", "ledger"],
    "node": ["harbor-1"],
}


class Monitoring:
    """`mode`: ok, broken (500), refused (403), deaf (no answer); `asked`: the questions; `tokens`: with what."""

    def __init__(self) -> None:
        self.mode, self.interval, self.age = "ok", 15, 0.0
        self.asked: list[dict[str, str]] = []
        self.tokens: list[str] = []
        self.port = 0

    def answer(self, query: dict[str, str], token: str) -> tuple[int, Json]:
        self.asked.append(query)
        self.tokens.append(token)
        if self.mode != "ok":
            code = {"broken": 500, "refused": 403}[self.mode]
            return code, {"error": {"code": code, "message": "as the test wants it", "parameter": ""}}
        try:
            asked = parse(query, time.time(), self.interval)
        except AskError as error:
            return 400, {"error": {"code": 400, "message": str(error), "parameter": error.parameter}}
        found = {metric: self._figure(asked, metric) for metric in asked.metrics}
        return 200, document(asked, found, "embedded", self.interval, time.time() - self.age)

    def _figure(self, asked: Ask, metric: str) -> Json:
        scale = {"cpu": 0.2, "memory": 9e7, "restarts": 0.0}.get(metric, 4e3)
        wave = [scale * (1 + math.sin(at / 97) / 2) if at % 600 > 45 else None for at in asked.times]
        names = NAMES.get(asked.by, [])
        parts = {((asked.by, name),): [v and v / len(names) * 0.9 for v in wave] for name in names}
        return figure(asked, metric, list(wave), parts)


@contextmanager
def serving() -> Iterator[Monitoring]:
    """It on a port of this machine."""
    made = Monitoring()

    class Handler(JsonHandler):
        def do_GET(self) -> None:
            if made.mode == "deaf":
                self.close_connection = True
                return
            parts = urlsplit(self.path)
            assert parts.path == "/api/v1/range"
            self.reply(*made.answer(dict(parse_qsl(parts.query)), self.headers.get("Authorization", "")))

    with listening(Handler) as made.port:
        yield made


def service(port: int) -> Json:
    """The Service of the addon, at 127.0.0.1."""
    made = world.service("monitoring", "kube-system", {"k8s-app": "monitoring"})
    made["spec"].update(clusterIP="127.0.0.1", clusterIPs=["127.0.0.1"], ports=[{"name": "http", "port": port}])
    return made


def switch(enabled: bool) -> Json:
    return world.config_map("addon-monitoring", "kube-system", {"enabled": str(enabled).lower()})
