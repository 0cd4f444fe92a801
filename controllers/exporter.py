"""Where the metrics and the health of a worker are served: on loopback and the node's address, beside the API's port."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from client.ports import beside
from controllers import metrics
from controllers.manifest import METRICS
from telemetry.access import Access
from telemetry.exporter import Exporter, pages

if TYPE_CHECKING:
    from redis import Redis

    from controllers.runtime import Runtime


def of_role(role: str, runtime: Runtime, redis: Redis, ailing: Callable[[], str]) -> Exporter | None:
    """The exporter of a role's worker; None where the installation has no certificates."""
    api_port = int(os.environ.get("BINNACLE_API_PORT") or 6443)
    pki = Path(os.environ.get("BINNACLE_VAR", "var")).resolve() / "pki"
    if not (pki / "kubelet.key").exists():
        return None
    module, _, name = METRICS[role].partition(":")
    counted = getattr(importlib.import_module(module), name)
    queues = {controller: queue.name for controller, queue in runtime.queues.items()}

    def queued() -> bytes:
        lines = [*metrics.render(redis, queues), *metrics.render_working(runtime.durations), ""]
        return "\n".join(lines).encode()

    return Exporter(
        ["127.0.0.1", os.environ.get("BINNACLE_NODE_ADDRESS") or "127.0.0.1"],
        beside(api_port, role),
        str(pki / "kubelet.crt"),
        str(pki / "kubelet.key"),
        Access(f"https://127.0.0.1:{api_port}", (pki / "ca.crt").read_text()),
        pages(counted, queued),
        ailing,
    )
