"""`make status`: what runs, since when, with how much memory, and whether it is healthy."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from pathlib import Path

from client import healthz
from config import preflight
from config.control import supervisor
from config.installation import Installation, admin_token
from config.up import node_state

SILENT = 40.0  # seconds without a sign of life after which a kubelet counts as gone


def status(var: Path) -> int:
    """Print a line per process, with what is wrong with it, and the node's state; exit status 0 only when all is well."""
    if preflight.running(var) is None:
        print("Binnacle is not running.")
        return 3
    at = Installation(**json.loads((var / "config.json").read_text()))
    well = True
    found = sorted(supervisor(var).getAllProcessInfo(), key=lambda process: process["start"])
    unhealthy = asyncio.run(_unhealthy(at, [process["name"] for process in found if process["statename"] == "RUNNING"]))
    for process in found:
        memory = f"{resident(process['pid']) / 2**20:6.0f} MiB" if process["pid"] else " " * 10
        why = unhealthy.get(process["name"], "")
        well = well and process["statename"] == "RUNNING" and not why
        print(f"{process['name']:<12} {process['statename']:<9} {memory}  {process['description']}{why and f', {why}'}")
    trouble = node_state(at, admin_token(var), since=time.time() - SILENT)
    print(f"node         {trouble or 'Ready'}")
    print(f"dashboard    http://127.0.0.1:{at.port}/\nkubernetes   https://127.0.0.1:{at.api_port}")
    return 0 if well and not trouble else 1


async def _unhealthy(at: Installation, running: list[str]) -> dict[str, str]:
    """Process -> why it is not well, "" when it is; of those that have a health page."""
    tls = ssl.create_default_context(cafile=str(at.path / "pki" / "ca.crt"))
    pages = {name: healthz.page(name, at.api_port, at.node_address) for name in healthz.PROCESSES if name in running}
    if "apiserver" in running:
        pages["apiserver"] = f"https://127.0.0.1:{at.api_port}/readyz"
    answers = await asyncio.gather(*(healthz.ask(url, tls) for url in pages.values()), return_exceptions=True)
    return {name: str(answer) for name, answer in zip(pages, answers, strict=True)}


def resident(pid: object) -> int:
    """Bytes of memory of a process, each page that processes share counted once among them (Pss)."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return 0
    return 0
