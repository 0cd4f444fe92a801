"""What one noisy user costs another: p99 of a quiet user's reads and creates, alone and beside it, in turns in one run.

Beside the time by the clock, which a busy machine blurs, the work is told that the server's event loop did between question
and answer: the user's own, and what others' requests put before it.

The noisy user is another process of low priority, so that what is measured is the server and not the machine: 64 connections
that create, list 2,000 objects and read without a pause, heed no Retry-After, and 200 watches that read nothing.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import ssl
import statistics
import subprocess
import sys
import time
from pathlib import Path

import uvloop

from bench.servers import ROOT, api_server
from bench.wire import Connection, Target
from config.status import resident

USERS = ("quiet", "noisy")
HERE = "/api/v1/namespaces/{}/configmaps"
OBJECTS, NOISE, WATCHES, ROUNDS, REQUESTS = 2000, 64, 200, 3, 300
PAUSE = 0.005  # seconds between two requests of the quiet user


def config_map(name: str) -> bytes:
    return json.dumps({"metadata": {"name": name}, "data": {"key": "value" * 20}}).encode()


async def prepare(target: Target) -> dict[str, Target]:
    """Both users, with the right to edit."""
    tokens = target.ca.parent / "tokens.csv"
    with tokens.open("a") as file:
        file.writelines(f"{name}-token-of-the-bench,{name},{name}\n" for name in USERS)
    admin = await Connection(target).open()
    for name in USERS:
        await admin.request("POST", "/api/v1/namespaces", json.dumps({"metadata": {"name": name}}).encode())
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}],
        }
        path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
        await admin.request("POST", path, json.dumps(binding).encode())
    for number in range(OBJECTS):
        await admin.request("POST", HERE.format("noisy"), config_map(f"c{number}"))
    await admin.request("POST", HERE.format("quiet"), config_map("c0"))
    await asyncio.sleep(1.5)  # tokens are looked for once a second
    return {name: Target(target.port, f"{name}-token-of-the-bench", target.ca) for name in USERS}


def worked(pid: int) -> float:
    """Milliseconds that the main thread of a process has run."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e6


async def p99(target: Target, pid: int, names: itertools.count[int]) -> dict[str, float]:
    """Milliseconds, of reads and of creates."""
    connection = await Connection(target).open()
    times: dict[str, list[float]] = {"get": [], "create": [], "get_work": [], "create_work": []}
    path = HERE.format("quiet")
    for number in range(REQUESTS):
        for verb, ask in (
            ("get", ("GET", f"{path}/c0", b"")),
            ("create", ("POST", path, config_map(f"q{next(names)}"))),
        ):
            began, before = time.perf_counter(), worked(pid)
            await connection.request(*ask)
            times[verb].append((time.perf_counter() - began) * 1e3)
            times[f"{verb}_work"].append(worked(pid) - before)
            await asyncio.sleep(PAUSE)
        del number
    connection.close()
    return {verb: sorted(found)[len(found) * 99 // 100] for verb, found in times.items()}


async def measure(target: Target, pid: int) -> dict[str, object]:
    users, names = await prepare(target), itertools.count()
    await p99(users["quiet"], pid, names)
    rounds: dict[str, list[dict[str, float]]] = {"alone": [], "beside": []}
    before, most = resident(pid), 0
    for _ in range(ROUNDS):
        rounds["alone"].append(await p99(users["quiet"], pid, names))
        noise = subprocess.Popen(
            ["nice", "-n", "9", sys.executable, "-m", "bench.fairness", str(target.port), str(target.ca)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        try:
            assert noise.stdout
            await asyncio.to_thread(noise.stdout.readline)  # handshakes are not what is measured
            rounds["beside"].append(await p99(users["quiet"], pid, names))
            most = max(most, resident(pid))
        finally:
            noise.kill()
            noise.wait()
        await asyncio.sleep(1)
    found: dict[str, object] = {}
    for verb in ("get", "create", "get_work", "create_work"):
        alone, beside = (statistics.median(r[verb] for r in rounds[which]) for which in ("alone", "beside"))
        found[verb] = {
            "p99_ms_alone": round(alone, 2),
            "p99_ms_beside": round(beside, 2),
            "ratio": round(beside / alone, 2),
        }
    return found | {"memory_mib_before": round(before / 2**20), "memory_mib_at_most": round(most / 2**20)}


async def make_noise(target: Target) -> None:
    """Until killed. Whatever it is answered, it asks again. Writes a line when all its connections are there."""
    connected = asyncio.Semaphore(0)

    async def worker(number: int) -> None:
        path = HERE.format("noisy")
        for turn in itertools.count():
            try:
                connection = await Connection(target).open()
                connected.release()
                while True:
                    verb = (number + turn) % 4
                    if verb == 0:
                        await _any(connection, "GET", path)
                    elif verb == 1:
                        await _any(connection, "GET", f"{path}/c0")
                    else:
                        await _any(connection, "POST", path, config_map(f"n{os.getpid()}-{number}-{turn}"))
                    turn += 1
            except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
                await asyncio.sleep(0.05)

    async def watch() -> None:
        while True:
            try:
                connection = await Connection(target).open()
                connection.send("GET", "/api/v1/configmaps?watch=true")
                await connection.head()
                connected.release()
                connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
                await asyncio.sleep(3600)
            except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
                await asyncio.sleep(0.05)

    async def tell() -> None:
        for _ in range(NOISE + WATCHES):
            await connected.acquire()
        print("all are connected", flush=True)

    await asyncio.gather(tell(), *(worker(number) for number in range(NOISE)), *(watch() for _ in range(WATCHES)))


async def _any(connection: Connection, method: str, path: str, body: bytes = b"") -> None:
    try:
        await connection.request(method, path, body)
    except RuntimeError:
        pass  # refused: once more


def main() -> dict[str, object]:
    with api_server() as (target, pid):
        return uvloop.run(measure(target, pid))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        uvloop.run(make_noise(Target(int(sys.argv[1]), "noisy-token-of-the-bench", Path(sys.argv[2]))))
    else:
        print(json.dumps(main(), indent=2))
