"""1,000 nodes with 10,000 pods, all simulated: what `kubectl top` takes, and what their figures cost each process.

An API server alone, the simulator and the monitoring program, each in a process of its own. The simulator makes the figures
up, which in a real cluster a thousand machines do. Shares are of one core, over three rounds of 15 s; the server is given
beside that what it takes when nobody asks: a thousand nodes renew their leases.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import uvloop

from bench.pods import COLLECTION, pod, wait_for_account
from bench.servers import ROOT, api_server, free_port
from bench.wire import Connection, Target
from config.status import resident

NODES, PODS, CLIENTS, OVER = 1000, 10_000, 8, 45.0
METRICS = "/apis/metrics.k8s.io/v1beta1"
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> dict[str, Any]:
    with api_server() as (target, server), tempfile.TemporaryDirectory(prefix="bench-") as folder:
        kubeconfig = _kubeconfig(target, Path(folder))
        with _process(
            "kubelet.simulate", "--kubeconfig", kubeconfig, "--nodes", str(NODES), *_certificates(target.ca.parent)
        ) as fleet:
            uvloop.run(_fill(target))
            top = _top(target, server, fleet, kubeconfig)
            return {"nodes": NODES, "pods": PODS, **top, **_monitoring(Path(folder), fleet, kubeconfig)}


def _kubeconfig(target: Target, folder: Path) -> str:
    path = folder / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "current-context": "a",
                "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
                "clusters": [
                    {
                        "name": "a",
                        "cluster": {
                            "server": f"https://127.0.0.1:{target.port}",
                            "certificate-authority": str(target.ca),
                        },
                    }
                ],
                "users": [{"name": "a", "user": {"token": target.token}}],
            }
        )
    )
    return str(path)


def _certificates(pki: Path) -> list[str]:
    return [
        "--tls-cert",
        str(pki / "kubelet.crt"),
        "--tls-key",
        str(pki / "kubelet.key"),
        "--client-ca",
        str(pki / "ca.crt"),
    ]


@contextmanager
def _process(module: str, *arguments: str) -> Iterator[int]:
    child = subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        yield child.pid
    finally:
        child.terminate()
        child.wait(30)


async def _fill(target: Target) -> None:
    """Nodes, the pods on them, and the group served; returns when all pods run."""
    await wait_for_account(target)
    first = await Connection(target).open()
    service = {
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {"group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100},
    }
    await first.request("POST", "/apis/apiregistration.k8s.io/v1/apiservices", orjson.dumps(service))
    await _until(first, "/api/v1/nodes", NODES, lambda node: bool((node.get("status") or {}).get("daemonEndpoints")))
    numbers = iter(range(PODS))

    async def create() -> None:
        connection = await Connection(target).open()
        for number in numbers:
            made = orjson.loads(pod(f"web-{number:05d}"))
            made["spec"]["nodeName"] = f"sim-{number % NODES}"
            await connection.request("POST", COLLECTION, orjson.dumps(made))
        connection.close()

    await asyncio.gather(*(create() for _ in range(CLIENTS)))
    await _until(first, COLLECTION, PODS, lambda one: one["status"]["phase"] == "Running")
    first.close()


async def _until(connection: Connection, path: str, count: int, good: Any) -> None:
    for _ in range(600):
        items = orjson.loads(await connection.request("GET", path))["items"]
        if sum(map(good, items)) >= count:
            return
        await asyncio.sleep(0.5)
    raise TimeoutError(f"not {count} of {path} within five minutes")


def _top(target: Target, server: int, fleet: int, kubeconfig: str) -> dict[str, Any]:
    idle = _shares((server,), lambda: time.sleep(OVER))
    before = _cpu(server), _cpu(fleet)
    started = time.perf_counter()
    nodes = uvloop.run(_items(target, f"{METRICS}/nodes"))
    first = time.perf_counter() - started
    spent = [round(_cpu(pid) - was, 2) for pid, was in zip((server, fleet), before, strict=True)]
    found = {
        "first_round_s": round(first, 2),
        "nodes_answered": nodes,
        "round_cpu_s_server": spent[0],
        "round_cpu_s_simulator": spent[1],
    }
    found["pods_answered"] = uvloop.run(_items(target, f"{METRICS}/pods"))
    if shutil.which("kubectl"):
        for name, words in (("nodes", ("nodes",)), ("pods", ("pods", "-A"))):
            found[f"kubectl_top_{name}_s"] = _timed("kubectl", "--kubeconfig", kubeconfig, "top", *words)
    answers: list[float] = []
    shares = _shares((server, fleet), lambda: _ask(target, answers))
    return {
        **found,
        "slowest_later_answer_s": round(max(answers), 2),
        "share_of_a_core_server_idle": idle[0],
        "share_of_a_core_server_while_asked": shares[0],
        "share_of_a_core_simulator_while_asked": shares[1],
        "server_mib": round(resident(server) / 2**20),
        "simulator_mib": round(resident(fleet) / 2**20),
    }


def _ask(target: Target, answers: list[float]) -> None:
    """As an autoscaler and somebody who watches `kubectl top nodes`: each 5 s."""
    for _ in range(round(OVER / 5)):
        time.sleep(5)
        started = time.perf_counter()
        uvloop.run(_items(target, f"{METRICS}/nodes"))
        answers.append(time.perf_counter() - started)


def _shares(pids: Sequence[int], during: Callable[[], None]) -> list[float]:
    """What each process takes of a core meanwhile."""
    before, started = [_cpu(pid) for pid in pids], time.monotonic()
    during()
    seconds = time.monotonic() - started
    return [round((_cpu(pid) - was) / seconds, 3) for pid, was in zip(pids, before, strict=True)]


async def _items(target: Target, path: str) -> int:
    connection = await Connection(target).open()
    items = orjson.loads(await connection.request("GET", path))["items"]
    connection.close()
    return len(items)


def _timed(*command: str) -> float:
    """Seconds of a command; of three tries the median, the first for its cache of what the server has."""
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - started)
    return round(sorted(taken)[1], 2)


def _monitoring(folder: Path, fleet: int, kubeconfig: str) -> dict[str, Any]:
    """Its rounds each 15 s, once it is settled."""
    port = free_port()
    with _process(
        "monitoring",
        "--address",
        "127.0.0.1",
        "--port",
        str(port),
        "--data-dir",
        str(folder / "history"),
        "--kubeconfig",
        kubeconfig,
    ) as pid:
        deadline = time.monotonic() + 300
        while _page(port).get("binnacle_monitoring_scrapes_total", 0) < 3:
            if time.monotonic() > deadline:
                raise TimeoutError("monitoring made no three rounds in five minutes")
            time.sleep(1)
        before = _page(port)
        shares = _shares((pid, fleet), lambda: time.sleep(OVER))
        after = _page(port)
        rounds = after["binnacle_monitoring_scrapes_total"] - before["binnacle_monitoring_scrapes_total"]
        return {
            "monitoring_rounds": rounds,
            "monitoring_round_s": round(after["binnacle_monitoring_scrape_duration_seconds"], 2),
            "monitoring_silent_nodes": after["binnacle_monitoring_silent_nodes"],
            "share_of_a_core_monitoring": shares[0],
            "share_of_a_core_simulator_of_monitoring": shares[1],
            "monitoring_mib": round(resident(pid) / 2**20),
        }


def _page(port: int) -> dict[str, float]:
    """The numbers without labels of monitoring's own page; nothing while it starts."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return {}
    return {
        name: float(value)
        for name, _, value in (line.partition(" ") for line in lines)
        if "{" not in name and not name.startswith("#")
    }


def _cpu(pid: int) -> float:
    """Seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
