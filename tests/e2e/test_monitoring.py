"""Monitoring on a running cluster: figures that agree with kubectl top, in the dashboard, over a kill of the process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
from typing import Any

import pytest

from tests.e2e import machine, worker
from tests.e2e.cluster import Cluster
from tests.e2e.dashboard import Dashboard
from tests.e2e.machine import ROOT

pytestmark = [pytest.mark.serial, pytest.mark.timeout(240)]
ENVIRONMENT = {"BINNACLE_METRICS_RESOLUTION": "3"}


def newest(found: dict[str, Any], figure: str) -> float:
    """The last value of the whole; fails (for `until`) while there is none."""
    assert "figures" in found, found
    return float([value for value in found["figures"][figure]["total"] if value is not None][-1])


def top(cluster: Cluster) -> tuple[float, float]:
    """Cores and bytes of the worker, as kubectl top says."""
    words = cluster.kubectl("top", "pods", "-l", "app=worker", "--no-headers").split()
    return int(words[1].removesuffix("m")) / 1000, int(words[2].removesuffix("Mi")) * (1 << 20)


def test_figures_agree_with_top_and_survive_a_kill(cluster: Cluster) -> None:
    cluster.until(
        lambda: cluster.kubectl(
            "-n", "kube-system", "patch", "configmap", "addon-monitoring", "-p", '{"data": {"scrape_interval": "5"}}'
        ),
        what="the addon is configured",
    )
    cluster.kubectl("apply", "-f", "-", stdin=worker.deployment())
    dashboard = Dashboard.of(cluster)
    pod = cluster.until(
        lambda: cluster.path("pods", "-l", "app=worker", "{.items[0].metadata.name}"), what="the pod is made"
    )
    key = ["pods", "default", pod]

    def both() -> tuple[tuple[float, float], tuple[float, float]]:
        found = dashboard.figures(key)
        return (newest(found, "cpu"), newest(found, "memory")), top(cluster)

    def alike(pair: Any) -> bool:
        (cpu, memory), (top_cpu, top_memory) = pair
        # Processor time was measured at different moments, on a machine where others work too.
        return abs(memory - top_memory) < 0.1 * top_memory and abs(cpu - top_cpu) < 0.3 * max(cpu, top_cpu) + 0.02

    cluster.until(both, alike, timeout=90, what="the dashboard's figures are those of kubectl top")
    assert (
        dashboard.figures(["deployments.apps", "default", "worker"])["figures"]["cpu"]["series"][0]["labels"]["pod"]
        == pod
    )
    before = dashboard.figures(key)["figures"]["memory"]["total"].count(None)
    kill_monitoring(cluster)
    after = cluster.until(
        lambda: dashboard.figures(key),
        lambda found: "figures" in found and found["newest"] > time.time() - 8,
        timeout=90,
        what="monitoring goes on after a kill",
    )
    known = [value for value in after["figures"]["memory"]["total"] if value is not None]
    assert len(after["times"]) - before <= len(known) + 1, "what was recorded before the kill is still there"
    the_api_is_not_open(cluster)
    if not cluster.ordinary:
        the_charts_move_in_a_browser(cluster, dashboard.url, pod)


def kill_monitoring(cluster: Cluster) -> None:
    """SIGKILL to the program in the pod; returns when another runs."""
    old = programs(cluster)
    assert old
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    cluster.until(
        lambda: programs(cluster), lambda new: new and not set(new) & set(old), timeout=60, what="it runs again"
    )


def programs(cluster: Cluster) -> list[int]:
    return [pid for pid, command in machine.processes_with(str(cluster.var)).items() if "-m monitoring" in command]


def the_api_is_not_open(cluster: Cluster) -> None:
    service = cluster.get("service", "monitoring", "-n", "kube-system")["spec"]
    address = f"http://{service['clusterIP']}:{service['ports'][0]['port']}"
    question = f"{address}/api/v1/range?metric=cpu&range=15m"
    weak = cluster.kubectl("create", "token", "default").strip()
    for headers, code in (({}, 401), ({"Authorization": f"Bearer {weak}"}, 403)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            cluster.fetch(question, timeout=20, **headers)
        assert refused.value.code == code
        refused.value.close()
    assert "binnacle_monitoring_scrapes_total" in cluster.fetch(f"{address}/metrics", timeout=20)


def the_charts_move_in_a_browser(cluster: Cluster, url: str, pod: str) -> None:
    shot = ROOT / "build" / "screenshots" / "monitoring-live.png"
    shot.parent.mkdir(parents=True, exist_ok=True)
    token = subprocess.run(
        [sys.executable, "manage.py", "login_token", "--skip-checks"],
        cwd=ROOT,
        check=True,
        text=True,
        env={**os.environ, "BINNACLE_VAR": str(cluster.var), "BINNACLE_PORT": str(cluster.port)},
        capture_output=True,
        timeout=60,
    ).stdout.strip()
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.browse", url, token, f"c/local/pods/default/{pod}?range=15m", str(shot)],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads(done.stdout)
    assert seen["errors"] == [] and seen["points"] >= 3, seen
    assert any("MiB" in line and "work" in line for line in seen["legend"]), seen
    assert shot.stat().st_size > 10_000
