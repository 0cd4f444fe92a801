"""kill -9 of every process in turn, under a steady load of writes."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from typing import Any

import pytest

from client import healthz
from tests.e2e import machine
from tests.e2e.cluster import Cluster
from tests.e2e.dashboard import Dashboard
from tests.e2e.load import NAMESPACE, Load, Seen
from tests.e2e.test_story import is_ready

pytestmark = [pytest.mark.serial, pytest.mark.timeout(400)]
# In the environment of each pod's process: finds them on the machine, and no other run's.
MARK = f"e2e-crew-process-{os.getpid()}"
PORT = 30081
CREW = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "crew"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "crew"}},
        "template": {
            "metadata": {"labels": {"app": "crew"}},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [
                    {
                        "name": "web",
                        "image": "host",
                        "command": ["sh", "-c", 'exec python3 -m http.server 8000 --bind "$POD_IP" --directory /tmp'],
                        "env": [
                            {"name": "MARK", "value": MARK},
                            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                        ],
                        "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
                    }
                ],
            },
        },
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "crew"},
    "spec": {"type": "NodePort", "selector": {"app": "crew"}, "ports": [{"port": 8000, "nodePort": PORT}]},
}


@pytest.fixture(scope="module")
def load(cluster: Cluster) -> Iterator[Load]:
    """The load on a cluster with a Deployment of three; it goes on through all the tests."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    for obj in (CREW, SERVICE):
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(obj))
    converge(cluster, 3)
    load = Load(cluster.var / "kubeconfig")
    yield load
    load.stop()


def pods(cluster: Cluster) -> list[Any]:
    found: list[Any] = cluster.get("pods", "-l", "app=crew")["items"]
    return found


def converge(cluster: Cluster, count: int, timeout: float = 60) -> list[Any]:
    """Scale to `count`, and see exactly that many pods, all ready, and exactly that many processes on the machine."""
    cluster.until(lambda: cluster.kubectl("scale", "deployment/crew", f"--replicas={count}"), what="scale is accepted")
    found = cluster.until(
        lambda: pods(cluster),
        lambda seen: len(seen) == count and all(map(is_ready, seen)),
        timeout,
        what=f"exactly {count} ready pods",
    )
    cluster.until(lambda: servers(cluster), lambda seen: len(seen) == count, 20, what=f"exactly {count} processes")
    cluster.until(
        lambda: cluster.path("replicasets", "-l", "app=crew", "{.items[*].status.replicas}"),
        lambda replicas: replicas == str(count),
        what="the ReplicaSet counts them",
    )
    return list(found)


def servers(cluster: Cluster) -> list[int]:
    """The processes of the Deployment's pods: only the servers themselves, not what holds them."""
    return [
        pid
        for pid, command in machine.processes_with(MARK).items()
        if "http.server 8000 --bind" in command and not command.startswith("sh ")
    ]


def restarts(cluster: Cluster) -> int:
    return sum(status["restartCount"] for pod in pods(cluster) for status in pod["status"].get("containerStatuses", []))


def writes_go_on(cluster: Cluster, load: Load) -> None:
    before = load.acknowledged()
    cluster.until(load.acknowledged, lambda now: now > before + 20, 20, what="writes are acknowledged again")


def test_a_pods_process(cluster: Cluster, load: Load) -> None:
    victim, before = servers(cluster)[0], restarts(cluster)
    machine.kill(victim)
    cluster.until(lambda: restarts(cluster), lambda count: count == before + 1, 30, what="the restart is counted")
    converge(cluster, 3)
    # At once the first time; whoever ends again has to wait, longer each time.
    again = next(pod for pod in pods(cluster) if pod["status"]["containerStatuses"][0]["restartCount"])
    since = time.monotonic()
    machine.kill(process_of(cluster, again))
    status = cluster.until(
        lambda: cluster.get("pod", again["metadata"]["name"])["status"]["containerStatuses"][0],
        lambda seen: "waiting" in seen["state"],
        15,
        what="the container waits",
    )
    assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff", status
    assert re.search("back-off 10s", status["state"]["waiting"]["message"]), status
    assert status["lastState"]["terminated"]["exitCode"] == 137, status
    cluster.until(
        lambda: restarts(cluster), lambda count: count == before + 2, 30, what="the second restart is counted"
    )
    assert time.monotonic() - since > 5, "there was no back-off"
    converge(cluster, 3)


def process_of(cluster: Cluster, pod: Any) -> int:
    """The process that listens on a pod's address."""
    address = pod["status"]["podIP"]
    found = [pid for pid in servers(cluster) if f"--bind {address}" in machine.processes_with(MARK)[pid]]
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("name", ["kubelet", "controllers", "scheduler", "apiserver", "redis", "kubeproxy"])
def test_a_process_of_the_cluster(name: str, cluster: Cluster, load: Load) -> None:
    calm = converge(cluster, 3)
    pids, counted = set(servers(cluster)), restarts(cluster)
    old = cluster.pid(name)
    # In the midst of work: half of the pods are on their way when it dies.
    cluster.kubectl("scale", "deployment/crew", "--replicas=6")
    time.sleep(0.3)
    machine.kill(old)
    new = cluster.until(lambda: cluster.pid(name), lambda pid: pid != old, 20, what=f"{name} is started again")
    assert new
    writes_go_on(cluster, load)
    converge(cluster, 6)
    assert pids <= set(servers(cluster)), "pods that ran did not run on"
    assert restarts(cluster) == counted, "containers were restarted without need"
    survivors = {pod["metadata"]["uid"] for pod in pods(cluster)}
    assert {pod["metadata"]["uid"] for pod in calm} <= survivors
    converge(cluster, 3)
    cluster.until(lambda: cluster.fetch(f"http://127.0.0.1:{PORT}/", timeout=2), what="the service answers")


def test_processes_that_hang_are_told(cluster: Cluster) -> None:
    """On the page within seconds, and by `make status` and kubectl; the supervisor sees only that they run."""
    pids = {name: cluster.pid(name) for name in healthz.PROCESSES}
    with contextlib.closing(Dashboard.of(cluster).beats()) as beats:
        cluster.until(
            lambda: next(beats), lambda told: all(told[name]["up"] for name in pids), what="all are seen well"
        )
        for pid in pids.values():
            os.kill(pid, signal.SIGSTOP)
        try:
            told = cluster.until(
                lambda: next(beats), lambda told: not any(told[name]["up"] for name in pids), 5, what="the page says so"
            )
            status = cluster.config("status")
            components = cluster.run("get", "componentstatuses").stdout
        finally:
            for pid in pids.values():
                os.kill(pid, signal.SIGCONT)
        assert all(told[name]["up"] is False and "does not answer" in told[name]["why"] for name in pids), told
        assert all(re.search(rf"^{name} +RUNNING .* does not answer", status.stdout, re.M) for name in pids), (
            status.stdout
        )
        assert status.returncode == 1
        assert re.search(r"^scheduler +Unhealthy", components, re.M), components
        assert re.search(r"^controller-manager +Unhealthy", components, re.M), components
        cluster.until(
            lambda: next(beats), lambda told: all(told[name]["up"] for name in pids), 5, what="all are well again"
        )
    cluster.until(lambda: cluster.config("status").returncode, lambda code: code == 0, what="status is content")
    assert {name: cluster.pid(name) for name in pids} == pids


def test_the_supervisor(cluster: Cluster, load: Load) -> None:
    """Nobody restarts it: `make up` does, and first ends what it had left."""
    pid = int((cluster.var / "run" / "supervisord.pid").read_text())
    machine.kill(pid)
    assert "the supervisor had died" in cluster.up()
    writes_go_on(cluster, load)
    converge(cluster, 3)
    for name in ("redis", "apiserver", "controllers", "scheduler", "kubelet", "kubeproxy"):
        lonely = [command for command in machine.processes_with(f"{cluster.var}").values() if started_as(name, command)]
        assert len(lonely) == 1, f"{name} runs {len(lonely)} times: {lonely}"


def started_as(name: str, command: str) -> bool:
    words = {"redis": "valkey-server", "controllers": "-Q controllers", "scheduler": "-Q scheduler"}.get(
        name, f"-m {name} "
    )
    return words in command and "http.server" not in command


def test_nothing_was_lost_and_all_was_seen_once(cluster: Cluster, load: Load) -> None:
    writes_go_on(cluster, load)
    load.stop_writing()
    last = newest(cluster)
    cluster.until(
        lambda: [watcher.revision for watcher in load.watchers],
        lambda revisions: all(revision >= last for revision in revisions),
        20,
        what="the watchers catch up",
    )
    load.stop()
    assert not [refusal for writer in load.writers for refusal in writer.refused]
    first = load.watchers[0].events
    for watcher in load.watchers:
        assert not watcher.failure, watcher.failure
        revisions = [event.revision for event in watcher.events]
        assert all(a < b for a, b in itertools.pairwise(revisions)), "seen twice or out of order"
        assert watcher.events == first, difference(first, watcher.events)
        assert watcher.resumed >= 2, "no watch was ever interrupted: the test did not test"
    consistent(first)
    seen = set(first)
    lost = [write for writer in load.writers for write in writer.acknowledged if write.revision and write not in seen]
    assert not lost, f"acknowledged, and never seen: {lost[:10]}"
    items = cluster.get("configmaps", "-n", NAMESPACE)["items"]
    stored = {
        item["metadata"]["name"]: int(item["data"]["value"])
        for item in items
        if item["metadata"]["name"].startswith("w")
    }
    assert stored == load.held()
    assert load.acknowledged() > 500, "hardly any load"
    in_the_log(cluster, first)
    print(
        f"{load.acknowledged()} writes acknowledged, {sum(w.uncertain for w in load.writers)} answers lost, longest pause "
        f"{max(w.longest for w in load.writers):.1f} s, watches resumed {[w.resumed for w in load.watchers]} times"
    )


def newest(cluster: Cluster) -> int:
    """The revision of the newest of the ConfigMaps' changes: a write that no writer makes."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "last"}, "data": {"value": "0"}}
    cluster.kubectl("create", "-n", NAMESPACE, "-f", "-", stdin=json.dumps(body))
    return int(cluster.path("-n", NAMESPACE, "configmap/last", "{.metadata.resourceVersion}"))


def consistent(events: list[Seen]) -> None:
    """Each object is added, then modified, then deleted, and so on; its values only rise."""
    state: dict[str, Seen] = {}
    for event in events:
        before = state.get(event.name)
        absent = before is None or before.type == "DELETED"
        assert (event.type == "ADDED") == absent, (before, event)
        assert absent or event.type == "DELETED" or event.value > before.value, (before, event)  # type: ignore[union-attr]
        state[event.name] = event


def difference(a: list[Seen], b: list[Seen]) -> str:
    return f"only one watch saw: {sorted(set(a) ^ set(b))[:10]}"


def in_the_log(cluster: Cluster, events: list[Seen]) -> None:
    """The independent reader: what watches saw is in the database, read with nothing of the project's."""
    with sqlite3.connect(f"file:{cluster.var}/cluster.db?mode=ro", uri=True) as database:
        [[check]] = database.execute("PRAGMA integrity_check")
        revisions = {row[0] for row in database.execute("SELECT revision FROM cluster_change")}
    assert check == "ok"
    oldest = min(revisions)
    assert {event.revision for event in events if event.revision >= oldest} <= revisions
