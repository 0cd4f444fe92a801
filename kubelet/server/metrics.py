"""/metrics: the kubelet's own, few and cheap."""

from __future__ import annotations

import resource
from collections import Counter

from aiohttp import web

from kubelet import podspec
from kubelet.node import VERSION
from kubelet.server.containers import agent


async def handle(request: web.Request) -> web.Response:
    found = agent(request)
    phases = Counter(podspec.phase(pod) for pod in found.pods.items.values())
    usage = resource.getrusage(resource.RUSAGE_SELF)
    states = [found.runtime.state(uid) for uid in found.workers]
    running = sum(c.running for state in states if state and state.ready for c in state.containers)
    lines = [
        "# HELP kubelet_node_name The node's name. The count is always 1.",
        "# TYPE kubelet_node_name gauge",
        f'kubelet_node_name{{node="{found.options.node_name}"}} 1',
        "# HELP kubernetes_build_info The version that this kubelet is compatible with.",
        "# TYPE kubernetes_build_info gauge",
        f'kubernetes_build_info{{git_version="{VERSION}"}} 1',
        "# HELP kubelet_running_containers Number of containers that run.",
        "# TYPE kubelet_running_containers gauge",
        f'kubelet_running_containers{{container_state="running"}} {running}',
        "# HELP kubelet_running_pods Number of pods whose sandbox runs.",
        "# TYPE kubelet_running_pods gauge",
        f"kubelet_running_pods {sum(bool(state and state.ready) for state in states)}",
        "# HELP kubelet_pods Number of pods bound to the node, by phase.",
        "# TYPE kubelet_pods gauge",
        *(f'kubelet_pods{{phase="{phase}"}} {count}' for phase, count in sorted(phases.items())),
        "# HELP process_cpu_seconds_total Total user and system CPU time spent in seconds.",
        "# TYPE process_cpu_seconds_total counter",
        f"process_cpu_seconds_total {usage.ru_utime + usage.ru_stime:.2f}",
        "# HELP process_max_resident_memory_bytes Largest resident memory size in bytes.",
        "# TYPE process_max_resident_memory_bytes gauge",
        f"process_max_resident_memory_bytes {usage.ru_maxrss * 1024}",
    ]
    return web.Response(text="\n".join(lines) + "\n", content_type="text/plain")
