"""/metrics/resource: what metrics servers scrape, and no more."""

from __future__ import annotations

from kubelet.stats.model import Snapshot
from telemetry.exposition import Page

FAMILIES = {
    "container_cpu_usage_seconds_total": ("counter", "Cumulative cpu time consumed by the container in core-seconds"),
    "container_memory_working_set_bytes": ("gauge", "Current working set of the container in bytes"),
    "container_start_time_seconds": ("gauge", "Start time of the container since unix epoch in seconds"),
    "container_swap_usage_bytes": ("gauge", "Current amount of the container swap usage in bytes"),
    "node_cpu_usage_seconds_total": ("counter", "Cumulative cpu time consumed by the node in core-seconds"),
    "node_memory_working_set_bytes": ("gauge", "Current working set of the node in bytes"),
    "node_swap_usage_bytes": ("gauge", "Current swap usage of the node in bytes"),
    "pod_cpu_usage_seconds_total": ("counter", "Cumulative cpu time consumed by the pod in core-seconds"),
    "pod_memory_working_set_bytes": ("gauge", "Current working set of the pod in bytes"),
    "pod_swap_usage_bytes": ("gauge", "Current amount of the pod swap usage in bytes"),
    "resource_scrape_error": ("gauge", "1 if there was an error while getting container metrics, 0 otherwise"),
}


def render(snapshot: Snapshot) -> str:
    page = Page()
    for name, (kind, text) in FAMILIES.items():
        page.declare(name, kind, text)
    for pod in snapshot.pods:
        labels = {"namespace": pod.namespace, "pod": pod.name}
        for container in pod.containers:
            own = {"container": container.name, **labels}
            page.add("container_cpu_usage_seconds_total", container.usage.cpu, own, container.at)
            page.add("container_memory_working_set_bytes", container.usage.working_set, own, container.at)
            page.add("container_start_time_seconds", container.started_at, own)
            page.add("container_swap_usage_bytes", container.usage.swap, own, container.at)
        if pod.containers:
            usage = pod.usage
            page.add("pod_cpu_usage_seconds_total", usage.cpu, labels, pod.at)
            page.add("pod_memory_working_set_bytes", usage.working_set, labels, pod.at)
            page.add("pod_swap_usage_bytes", usage.swap, labels, pod.at)
    node = snapshot.node
    page.add("node_cpu_usage_seconds_total", node.usage.cpu, at=node.at)
    page.add("node_memory_working_set_bytes", node.usage.working_set, at=node.at)
    page.add("node_swap_usage_bytes", node.usage.swap, at=node.at)
    page.add("resource_scrape_error", 1 if snapshot.failed else 0)
    return page.text()
