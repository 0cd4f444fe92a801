"""A cluster whose figures follow from the time, and its pages as kubelets and object metrics give them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monitoring.history.history import History
from monitoring.scraping.scraper import Scraper

EVERY = 15


class Pod:
    """`scale` makes it differ from others; at `restart` (seconds after the start) its container begins anew."""

    def __init__(
        self, namespace: str, name: str, node: str, owner: tuple[str, str], scale: float, restart: int = 0
    ) -> None:
        self.namespace, self.name, self.node, self.owner, self.scale, self.restart = (
            namespace,
            name,
            node,
            owner,
            scale,
            restart,
        )

    def cpu(self, t: float) -> float:
        """Seconds used since the start: a rate that swings around 0.2 cores."""
        return self.scale * (0.2 * t + 0.1 * 240 / math.tau * (1 - math.cos(math.tau * t / 240)))

    def figures(self, t: float) -> dict[str, float]:
        began = self.restart if self.restart and t >= self.restart else 0
        return {
            "cpu": self.cpu(t) - self.cpu(began),
            "memory": 1e7 * self.scale * (2 + math.sin(t / 300)),
            "rx": 1e5 * self.scale * t,
            "tx": 2e5 * self.scale * t,
            "fs": 4096 * (1 + t // 600),
            "restarts": 1 if began else 0,
        }


PODS = (
    Pod("shop", "web-1", "n1", ("ReplicaSet", "web-a1"), 1.0),
    Pod("shop", "web-2", "n2", ("ReplicaSet", "web-a1"), 2.0, 1207),
    Pod("shop", "db-0", "n2", ("StatefulSet", "db"), 0.5),
    Pod("shop", "tool", "n1", ("", ""), 0.3),
    Pod("bank", "teller-x", "n1", ("DaemonSet", "teller"), 0.7),
)


class Owners:
    """Stands in for `scraping.owners.Owners`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pods = {(pod.namespace, pod.name): pod for pod in PODS}

    def knows(self, namespace: str, pod: str) -> bool:
        return (namespace, pod) in self.pods

    def workload(self, namespace: str, pod: str) -> str:
        kind, name = self.pods[namespace, pod].owner
        return "Deployment/web" if kind == "ReplicaSet" else f"{kind}/{name}" if kind else ""

    def restarts(self, namespace: str, pod: str) -> dict[str, int]:
        return {"app": int(self.pods[namespace, pod].figures(self.now)["restarts"])}


def samples(t: float, at: float, node: str) -> Iterator[tuple[str, dict[str, str], float, float]]:
    """(family, labels, value, seconds) of a node's page, `t` seconds after the start."""
    mine = [pod for pod in PODS if pod.node == node]
    whole = {"container": "", "id": "/", "image": "", "name": "", "namespace": "", "pod": ""}
    machine = Pod("", "", node, ("", ""), sum(pod.scale for pod in mine) + 1)
    yield from _of(machine, whole, t, at, pod=True, container=True)
    for pod in mine:
        place = {"image": "", "name": "", "namespace": pod.namespace, "pod": pod.name}
        yield from _of(
            pod, {"container": "", "id": f"/kubepods/pod-{pod.name}", **place}, t, at, pod=True, container=False
        )
        number = int(pod.figures(t)["restarts"])
        yield from _of(
            pod,
            {"container": "app", "id": f"/kubepods/pod-{pod.name}/c{number}", **place},
            t,
            at,
            pod=False,
            container=True,
        )


def _of(
    thing: Pod, labels: dict[str, str], t: float, at: float, *, pod: bool, container: bool
) -> Iterator[tuple[str, dict[str, str], float, float]]:
    found = thing.figures(t)
    if container:
        yield "container_cpu_usage_seconds_total", {"cpu": "total", **labels}, found["cpu"], at
        yield "container_memory_working_set_bytes", labels, int(found["memory"]), at
    if pod:
        yield "container_network_receive_bytes_total", {**labels, "interface": "eth0"}, int(found["rx"]), at
        yield "container_network_transmit_bytes_total", {**labels, "interface": "eth0"}, int(found["tx"]), at
    yield "container_fs_usage_bytes", labels, int(found["fs"]), at


def objects(t: float, at: float) -> Iterator[tuple[str, dict[str, str], float, float]]:
    """What the object metrics say."""
    for pod in PODS:
        place = {"namespace": pod.namespace, "pod": pod.name}
        kind, name = pod.owner
        yield (
            "kube_pod_owner",
            {**place, "owner_kind": kind, "owner_name": name, "owner_is_controller": "true" if kind else ""},
            1,
            at,
        )
        yield "kube_pod_container_status_restarts_total", {**place, "container": "app"}, pod.figures(t)["restarts"], at
    yield (
        "kube_replicaset_owner",
        {
            "namespace": "shop",
            "replicaset": "web-a1",
            "owner_kind": "Deployment",
            "owner_name": "web",
            "owner_is_controller": "true",
        },
        1,
        at,
    )


def page(t: float, at: float, node: str) -> bytes:
    """A node's /metrics/cadvisor."""
    families: dict[str, list[str]] = {}
    for family, labels, value, when in samples(t, at, node):
        families.setdefault(family, []).append(_line(family, labels, value, f" {int(when * 1000)}"))
    return (
        "".join(f"# HELP {family} …\n# TYPE {family} counter\n" + "".join(lines) for family, lines in families.items())
    ).encode()


def _line(family: str, labels: dict[str, str], value: float, stamp: str) -> str:
    return f"{family}{{{','.join(f'{k}={chr(34)}{v}{chr(34)}' for k, v in labels.items())}}} {value!r}{stamp}\n"


def record(history: History, start: int, seconds: int) -> None:
    """Feed the history as a scraper does, one round every 15 s; kubelets measured a little before."""
    owners: Any = Owners()
    scraper = Scraper(None, owners, history, EVERY)  # type: ignore[arg-type]
    for t in range(0, seconds, EVERY):
        owners.now = t
        found = [one for node in ("n1", "n2") for one in scraper.read(node, page(t, start + t + _jitter(t), node), 0)]
        scraper.keep((start + t + 1) * 1000, found)


def _jitter(t: int) -> float:
    return (t * 7919 % 900 + 1) / 1000


def write_openmetrics(path: Path, start: int, seconds: int) -> None:
    """The same, for `promtool tsdb create-blocks-from openmetrics`."""
    series: dict[str, list[str]] = {}
    for t in range(0, seconds, EVERY):
        at = start + t + _jitter(t)
        for node in ("n1", "n2"):
            for family, labels, value, when in samples(t, at, node):
                lines = series.setdefault(family, [])
                lines.append(_line(family, {**labels, "node": node, "job": "cadvisor"}, value, f" {when:.3f}"))
                if labels["container"]:  # /metrics/resource has the same names, without an id
                    place = {name: labels[name] for name in ("container", "namespace", "pod")}
                    lines.append(
                        _line(family, {**place, "node": node, "job": "kubelet-resource"}, value, f" {when:.3f}")
                    )
        for family, labels, value, when in objects(t, at):
            series.setdefault(family, []).append(_line(family, labels, value, f" {when:.3f}"))
    text = "".join(
        f"# TYPE {family} unknown\n" + "".join(sorted(lines, key=lambda line: line.rpartition("} ")[0]))
        for family, lines in series.items()
    )
    path.write_text(text + "# EOF\n")
