"""How many pods a second the scheduler places and binds: `python -m bench.scheduler [--nodes 1000] [--pods 10000]`.

A store of its own on disk, no API server: the pods of one ReplicaSet wait, then one scheduler takes them all. `plan` is
the placement alone; `seconds` includes the commits, after which every pod has its node on disk. The figures by CPU second
say what the machine would do if nothing else ran on it. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from cluster import keyring
from kube.objects import Json

ROOT = Path(__file__).resolve().parent.parent


def prepare(var: Path) -> None:
    var.mkdir(parents=True)
    keyring.of(var).prepare()
    os.environ.update(BINNACLE_VAR=str(var), DJANGO_SETTINGS_MODULE="config.settings")
    os.environ.pop("DATABASE_URL", None)
    subprocess.run([sys.executable, "manage.py", "migrate", "--skip-checks", "-v", "0"], cwd=ROOT, check=True)


def node(number: int) -> Json:
    name = f"node-{number}"
    labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": f"zone-{number % 3}"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"allocatable": {"cpu": "8", "memory": "16Gi", "pods": "110"}},
    }


def pod(number: int, owner: Json) -> Json:
    reference = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "web",
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    container = {"name": "main", "image": "web:1", "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}
    meta = {"name": f"web-{number}", "labels": {"app": "web"}, "ownerReferences": [reference]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": [container]}}


def fill(session: Any, nodes: int, pods: int) -> None:
    session.create("namespaces", "", {"metadata": {"name": "default"}})
    session.create("serviceaccounts", "default", {"metadata": {"name": "default"}})
    made = session.create_many([("nodes", "", node(n)) for n in range(nodes)])
    for found in made:
        found["status"] = node(0)["status"]
    session.update_many([("nodes", "", found) for found in made], "status")
    for found in made:
        session.mutate("nodes", "", found["metadata"]["name"], lambda obj: obj["spec"].pop("taints", None) and None)
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "main", "image": "web:1"}]}}
    owner = session.create(
        "replicasets.apps",
        "default",
        {
            "metadata": {"name": "web"},
            "spec": {"replicas": pods, "selector": {"matchLabels": {"app": "web"}}, "template": template},
        },
    )
    for start in range(0, pods, 1000):
        session.create_many([("pods", "default", pod(n, owner)) for n in range(start, min(start + 1000, pods))])


def measure(nodes: int, pods: int) -> Json:
    from cluster import memory
    from cluster.cache import Cache
    from cluster.store import Store
    from cluster.verbs import Session
    from scheduler.service import Scheduler

    store = Store.of(1)
    cache = Cache(store)
    cache.start()
    session = Session(1, "system:kube-scheduler", cache, store)
    fill(session, nodes, pods)
    scheduler = Scheduler(session, cache, seed=1)
    memory.settle()  # as the worker does
    spent = {"plan": 0.0}
    place = scheduler.framework.place

    def timed(*args: Any) -> Any:
        started = time.thread_time()
        result = place(*args)
        spent["plan"] += time.thread_time() - started
        return result

    scheduler.framework.place = timed  # type: ignore[method-assign, assignment]
    started, cpu = time.perf_counter(), time.process_time()
    scheduler.run(seconds=300)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    bound = sum(bool(entry.node) for entry in cache.list("pods"))
    used = scheduler.state.table.used.of("pods", slice(0, nodes))
    cache.close()
    store.close()
    return {
        "nodes": nodes,
        "pods": pods,
        "bound": bound,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "pods_per_cpu_second": round(bound / cpu),
        "pods_per_second": round(bound / seconds),
        "plan_pods_per_cpu_second": round(bound / spent["plan"]),
        "most_pods_on_a_node": int(used.max()),
        "fewest": int(used.min()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--pods", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        prepare(Path(folder) / "var")
        print(json.dumps(measure(options.nodes, options.pods)))


if __name__ == "__main__":
    main()
