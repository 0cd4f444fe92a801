"""/metrics: the kubelet's own, few and cheap."""

from __future__ import annotations

import resource
from collections import Counter
from pathlib import Path

from aiohttp import web

from kubelet import podspec
from kubelet.node import VERSION
from kubelet.server.containers import agent
from kubelet.stats.exposition import CONTENT_TYPE, Page

FAMILIES = {
    "kubelet_node_name": ("gauge", "The node's name. The count is always 1."),
    "kubernetes_build_info": ("gauge", "The version that this kubelet is compatible with."),
    "kubelet_running_containers": ("gauge", "Number of containers that run."),
    "kubelet_running_pods": ("gauge", "Number of pods whose sandbox runs."),
    "kubelet_pods": ("gauge", "Number of pods bound to the node, by phase."),
    "process_cpu_seconds_total": ("counter", "Total user and system CPU time spent in seconds."),
    "process_resident_memory_bytes": ("gauge", "Resident memory size in bytes."),
    "process_max_resident_memory_bytes": ("gauge", "Largest resident memory size in bytes."),
}


async def handle(request: web.Request) -> web.Response:
    found = agent(request)
    phases = Counter(podspec.phase(pod) for pod in found.pods.items.values())
    usage = resource.getrusage(resource.RUSAGE_SELF)
    states = [found.runtime.state(uid) for uid in found.workers]
    running = sum(c.running for state in states if state and state.ready for c in state.containers)
    page = Page()
    for name, (kind, text) in FAMILIES.items():
        page.declare(name, kind, text)
    page.add("kubelet_node_name", 1, {"node": found.options.node_name})
    page.add("kubernetes_build_info", 1, {"git_version": VERSION})
    page.add("kubelet_running_containers", running, {"container_state": "running"})
    page.add("kubelet_running_pods", sum(bool(state and state.ready) for state in states))
    for phase, count in sorted(phases.items()):
        page.add("kubelet_pods", count, {"phase": phase})
    page.add("process_cpu_seconds_total", usage.ru_utime + usage.ru_stime)
    page.add("process_resident_memory_bytes", _resident())
    page.add("process_max_resident_memory_bytes", usage.ru_maxrss * 1024)
    return web.Response(body=page.text().encode(), headers={"Content-Type": CONTENT_TYPE})


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
