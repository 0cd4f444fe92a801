"""The object metrics of 10,000 pods: seconds of a scrape, milliseconds of one change, memory."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

from client import Client, Config
from monitoring.objects import ObjectMetrics

PODS_COUNT, SCRAPES, CHANGES = 10_000, 7, 2000
AT = "2026-01-01T00:00:00Z"
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "namespace": "shop",
        "creationTimestamp": AT,
        "labels": {"app": "web", "pod-template-hash": "7d9c5b4f6"},
        "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d9c5b4f6", "uid": "r", "controller": True}
        ],
    },
    "spec": {
        "restartPolicy": "Always",
        "serviceAccountName": "default",
        "schedulerName": "default-scheduler",
        "tolerations": [
            {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            for key in ("not-ready", "unreachable")
        ],
        "containers": [
            {
                "name": "web",
                "image": "registry.example/shop/web:1.4.2",
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
            }
        ],
    },
    "status": {
        "phase": "Running",
        "qosClass": "Burstable",
        "startTime": AT,
        "hostIP": "10.0.0.7",
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": AT}
            for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        ],
        "containerStatuses": [
            {
                "name": "web",
                "image": "registry.example/shop/web:1.4.2",
                "imageID": "sha256:4f",
                "containerID": "process://8c1f",
                "ready": True,
                "restartCount": 0,
                "state": {"running": {"startedAt": AT}},
                "lastState": {},
            }
        ],
    },
}


def main() -> dict[str, Any]:
    return asyncio.run(_measure())


async def _measure() -> dict[str, Any]:
    metrics = ObjectMetrics(Client(Config("http://127.0.0.1:1")))
    before = _resident()
    pods = metrics.mirrors["pods"]
    for number in range(PODS_COUNT):
        made = _pod(number)
        pods.reflector.items["shop", made["metadata"]["name"]] = pods.take(made)
    held = _resident() - before
    metrics.render()  # the first one makes the memory grow
    spent = time.process_time()
    scrapes = [_seconds(metrics.render) for _ in range(SCRAPES)]
    spent = (time.process_time() - spent) / SCRAPES
    changed = [_changed(number) for number in range(CHANGES)]
    changes = [_seconds(lambda pod=pod: pods.take(pod)) * 1000 for pod in changed]
    return {
        "pods": PODS_COUNT,
        "scrape_seconds": round(statistics.median(scrapes), 3),
        "scrape_seconds_worst": round(max(scrapes), 3),
        "scrape_cpu_seconds": round(spent, 3),
        "change_ms": round(statistics.median(changes), 3),
        "change_ms_p99": round(sorted(changes)[int(CHANGES * 0.99)], 3),
        "bytes": len(metrics.render()),
        "held_bytes_a_pod": held // PODS_COUNT,
    }


def _pod(number: int) -> dict[str, Any]:
    pod = copy.deepcopy(POD)
    address = f"10.{244 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
    pod["metadata"] |= {
        "name": f"web-7d9c5b4f6-{number:05d}",
        "uid": f"8c1f0a52-0000-4000-8000-{number:012d}",
        "resourceVersion": str(number + 1),
    }
    pod["spec"]["nodeName"] = f"node-{number % 100}"
    pod["status"] |= {"podIP": address, "podIPs": [{"ip": address}]}
    return pod


def _changed(number: int) -> dict[str, Any]:
    """The pod after a restart of its container."""
    pod = _pod(number)
    pod["status"]["containerStatuses"][0] |= {
        "restartCount": 12,
        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": AT}},
    }
    return pod


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _seconds(do: Any) -> float:
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
