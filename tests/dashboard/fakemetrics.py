"""A stand-in for metrics.k8s.io: what the pods and nodes of the small world use; each reading finds another little more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kube.objects import Json
from tests.dashboard import world
from tests.dashboard.fakehttp import JsonHandler, listening

PREFIX = "/apis/metrics.k8s.io/v1beta1/"
# Milli-cores and MiB by namespace and name.
PODS = {
    ("guestbook", "web-7c9d6b5f44-4xk2p"): (100, 64),
    ("guestbook", "web-7c9d6b5f44-9mzqd"): (300, 250),
    ("guestbook", "web-7c9d6b5f44-tr8wl"): (200, 128),
    ("kube-system", "dashboard-6f7d9-b8kq2"): (50, 96),
}
NODES = {"harbor-1": (1500, 4096), "harbor-2": (7900, 2048)}


def answer(path: str, number: int = 0) -> Json | None:
    """The list at a path of the API, read for the `number`th time; None for another path."""
    parts = path.removeprefix(PREFIX).split("/")
    if not path.startswith(PREFIX) or parts[-1] not in ("pods", "nodes"):
        return None
    if parts[-1] == "nodes":
        return _list([{**_item("", name), "usage": _usage(*used, number)} for name, used in NODES.items()])
    namespace = parts[1] if parts[0] == "namespaces" else ""
    return _list(
        [
            {
                **_item(*place),
                "containers": [
                    {"name": "a", "usage": _usage(cpu, memory // 2, number)},
                    {"name": "b", "usage": _usage(0, memory - memory // 2)},
                ],
            }
            for place, (cpu, memory) in PODS.items()
            if namespace in ("", place[0])
        ]
    )


def _list(items: list[Json]) -> Json:
    return {"kind": "List", "apiVersion": "metrics.k8s.io/v1beta1", "metadata": {}, "items": items}


def _item(namespace: str, name: str) -> Json:
    return {"metadata": {"name": name, "namespace": namespace}, "timestamp": world.ago(5), "window": "10s"}


def _usage(cpu: int, memory: int, more: int = 0) -> Json:
    return {"cpu": f"{(cpu + more % 20) * 1_000_000}n" if cpu else "0", "memory": f"{memory * 1024}Ki"}


def service() -> Json:
    """The APIService of the addon `metrics`."""
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": world.meta("v1beta1.metrics.k8s.io"),
        "spec": {"group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100},
    }


class Api:
    """`asked`: the paths of metrics; `status`: what it answers with."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status, self.port = 200, 0

    def answer(self, path: str) -> Json | None:
        if path.startswith(PREFIX):
            self.asked.append(path)
        return answer(path) if self.status == 200 else {"message": "as the test wants it"}


@contextmanager
def serving() -> Iterator[Api]:
    """It on a port of this machine."""
    made = Api()

    class Handler(JsonHandler):
        def do_GET(self) -> None:
            self.reply(made.status, made.answer(self.path))

    with listening(Handler) as made.port:
        yield made
