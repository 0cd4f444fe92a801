"""Where the metrics and the health of a worker are served: on loopback and the node's address, beside the API's port."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import environment
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
    api_port = environment.API_PORT.get()
    pki = environment.VAR.get().resolve() / "pki"
    if not (pki / "kubelet.key").exists():
        return None
    module, _, name = METRICS[role].partition(":")
    counted = getattr(importlib.import_module(module), name)
    queues = {controller: queue.name for controller, queue in runtime.queues.items()}

    def queued() -> bytes:
        lines = [*metrics.render(redis, queues), *metrics.render_working(runtime.durations), ""]
        return "\n".join(lines).encode()

    return Exporter(
        ["127.0.0.1", environment.NODE_ADDRESS.get()],
        beside(api_port, role),
        str(pki / "kubelet.crt"),
        str(pki / "kubelet.key"),
        Access(f"https://127.0.0.1:{api_port}", (pki / "ca.crt").read_text()),
        pages(counted, queued),
        ailing,
    )
