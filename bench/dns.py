"""The DNS server: questions a second of one process, latency at half of that, memory at 10,000 services.

Needs `dnsperf` (Debian: apt-get install dnsperf). The server is the real one, `python -m dnsserver`; the API behind it is
a file of lists. What is asked: 1,000 names of services, one in eight headless, one in ten unknown, as A.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from bench.servers import ROOT, free_port
from tests.dnsserver.api import FakeApi

SERVICES, ENDPOINTS, HEADLESS = 10_000, 10, 8  # endpoints of each service; every eighth service is headless
SECONDS = 10
CLIENTS = 8


def main() -> dict[str, Any]:
    if shutil.which("dnsperf") is None:
        return {"dnsperf": "is not installed (Debian: apt-get install dnsperf)"}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> dict[str, Any]:
    api = await FakeApi().start()
    process, port, http = _start(folder, api.port)
    try:
        await asyncio.to_thread(_ready, http)
        small = _rss(process.pid)
        _fill(api)
        await asyncio.to_thread(_known, http, SERVICES)
        large = _rss(process.pid)
        questions = folder / "questions"
        questions.write_text("".join(f"{name} A\n" for name in _names(1000)))
        await asyncio.to_thread(_dnsperf, port, questions, 2, 0)  # warm
        full = await asyncio.to_thread(_dnsperf, port, questions, SECONDS, 0)
        half = await asyncio.to_thread(_dnsperf, port, questions, SECONDS, int(full["per_second"] / 2))
        cold = await asyncio.to_thread(_cold, port, folder)
    finally:
        process.terminate()
        process.wait()
        await api.stop()
    return {
        "questions_per_second": full["per_second"],
        "lost": full["lost"],
        "p99_ms_at_half_load": half["p99_ms"],
        "mean_ms_at_half_load": half["mean_ms"],
        "half_load_per_second": half["per_second"],
        "uncached_questions_per_second": cold,
        "memory_mib_empty": small,
        f"memory_mib_at_{SERVICES}_services_{SERVICES * ENDPOINTS}_endpoints": large,
    }


def _start(folder: Path, api_port: int) -> tuple[subprocess.Popen[bytes], int, int]:
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "current-context": "a",
                "contexts": [{"name": "a", "context": {"cluster": "a"}}],
                "clusters": [{"name": "a", "cluster": {"server": f"http://127.0.0.1:{api_port}"}}],
            }
        )
    )
    port, http = free_port(), free_port()
    command = [
        sys.executable,
        "-m",
        "dnsserver",
        "--address",
        "127.0.0.1",
        "--port",
        str(port),
        "--http-port",
        str(http),
        "--kubeconfig",
        str(kubeconfig),
        "--range",
        "10.96.0.0/12",
    ]
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL), port, http


def _fill(api: FakeApi) -> None:
    for i in range(SERVICES):
        ip = "None" if i % HEADLESS == 0 else f"10.{96 + (i >> 16)}.{i >> 8 & 255}.{i & 255}"
        api.put(
            "services",
            {
                "metadata": {"namespace": "default", "name": f"service-{i}"},
                "spec": {
                    "clusterIP": ip,
                    "clusterIPs": [ip],
                    "selector": {"app": "x"},
                    "ports": [{"name": "http", "protocol": "TCP", "port": 80}],
                },
            },
        )
        endpoints = [
            {
                "addresses": [f"10.{128 + (i >> 12)}.{i >> 4 & 255}.{(i & 15) * 16 + j}"],
                "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "name": f"pod-{i}-{j}"},
            }
            for j in range(ENDPOINTS)
        ]
        api.put(
            "endpointslices",
            {
                "metadata": {
                    "namespace": "default",
                    "name": f"service-{i}-abcde",
                    "labels": {"kubernetes.io/service-name": f"service-{i}"},
                },
                "addressType": "IPv4",
                "endpoints": endpoints,
                "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
            },
        )


def _names(count: int) -> list[str]:
    return [f"{'unknown' if i % 10 == 9 else 'service'}-{i}.default.svc.cluster.local" for i in range(count)]


def _dnsperf(port: int, questions: Path, seconds: int, rate: int) -> dict[str, Any]:
    """One run; `rate` 0 is as fast as it goes. The tail comes from the times of single answers, which dnsperf prints when
    it is verbose: into a file, because reading them meanwhile would take the processor from what is measured."""
    command = [
        "dnsperf",
        "-s",
        "127.0.0.1",
        "-p",
        str(port),
        "-d",
        str(questions),
        "-l",
        str(seconds),
        "-c",
        str(CLIENTS),
        "-T",
        "1",
        "-q",
        "100",
        *(["-Q", str(rate), "-v"] if rate else []),
    ]
    path = questions.with_name("output")
    with path.open("w") as output:
        subprocess.run(command, stdout=output, timeout=seconds + 60, check=True)
    text = path.read_text()
    times = sorted(float(line.split()[-1]) for line in text.splitlines() if line.startswith("> "))
    return {
        "per_second": round(_number(r"Queries per second:\s+([\d.]+)", text)),
        "lost": round(_number(r"Queries lost:\s+(\d+)", text)),
        "mean_ms": round(_number(r"Average Latency \(s\):\s+([\d.]+)", text) * 1000, 3),
        "p99_ms": round(times[int(len(times) * 0.99)] * 1000, 3) if times else None,
    }


def _cold(port: int, folder: Path) -> int:
    """Questions a second when each is asked once only: parsing, looking up, packing."""
    questions = folder / "cold"
    questions.write_text("".join(f"x{i}.service-{i % SERVICES}.default.svc.cluster.local A\n" for i in range(200_000)))
    command = [
        "dnsperf",
        "-s",
        "127.0.0.1",
        "-p",
        str(port),
        "-d",
        str(questions),
        "-n",
        "1",
        "-c",
        str(CLIENTS),
        "-T",
        "1",
        "-q",
        "100",
    ]
    text = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    return round(_number(r"Queries per second:\s+([\d.]+)", text))


def _number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"dnsperf said nothing of {pattern!r}: {text[-500:]}")
    return float(found[1])


def _rss(pid: int) -> float:
    return round(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def _ready(http: int) -> None:
    _until(lambda: b"OK" in _page(http, "/ready"))


def _known(http: int, services: int) -> None:
    _until(
        lambda: (
            f"binnacle_dns_services {float(services)}".encode() in _page(http, "/metrics")
            and f"binnacle_dns_endpoints {float(services * ENDPOINTS)}".encode() in _page(http, "/metrics")
        )
    )


def _until(check: Any) -> None:
    deadline = time.monotonic() + 120
    while not check():
        if time.monotonic() > deadline:
            raise RuntimeError("the DNS server does not get there")
        time.sleep(0.2)


def _page(port: int, path: str) -> bytes:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return bytes(answer.read())
    except OSError:
        return b""


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
