"""/metrics/cadvisor: the names and labels that dashboards of the ecosystem ask for.

The labels are id, name, image, container, pod and namespace, blank where they mean nothing: `container=""` is the pod as
a whole, `id="/"` the machine.
"""

from __future__ import annotations

from kubelet.stats.model import Interface, Snapshot, Usage
from telemetry.exposition import Page, pairs

PERIOD = 100_000
FAMILIES = {
    "cadvisor_version_info": ("gauge", "A metric with a constant '1' value labeled by the versions in use."),
    "container_cpu_usage_seconds_total": ("counter", "Cumulative cpu time consumed in seconds."),
    "container_cpu_cfs_periods_total": ("counter", "Number of elapsed enforcement period intervals."),
    "container_cpu_cfs_throttled_periods_total": ("counter", "Number of throttled period intervals."),
    "container_cpu_cfs_throttled_seconds_total": ("counter", "Total time duration the container has been throttled."),
    "container_memory_usage_bytes": ("gauge", "Current memory usage in bytes, including all memory."),
    "container_memory_working_set_bytes": ("gauge", "Current working set in bytes."),
    "container_memory_rss": ("gauge", "Size of RSS in bytes."),
    "container_memory_cache": ("gauge", "Number of bytes of page cache memory."),
    "container_memory_swap": ("gauge", "Container swap usage in bytes."),
    "container_memory_mapped_file": ("gauge", "Size of memory mapped files in bytes."),
    "container_processes": ("gauge", "Number of processes running inside the container."),
    "container_start_time_seconds": ("gauge", "Start time of the container since unix epoch in seconds."),
    "container_last_seen": ("gauge", "Last time a container was seen by the exporter."),
    "container_spec_cpu_period": ("gauge", "CPU period of the container."),
    "container_spec_cpu_quota": ("gauge", "CPU quota of the container."),
    "container_spec_memory_limit_bytes": ("gauge", "Memory limit for the container."),
    "container_fs_usage_bytes": ("gauge", "Number of bytes that are consumed by the container on this filesystem."),
    "container_network_receive_bytes_total": ("counter", "Cumulative count of bytes received."),
    "container_network_receive_errors_total": ("counter", "Cumulative count of errors encountered while receiving."),
    "container_network_receive_packets_dropped_total": ("counter", "Cumulative count of packets dropped on receipt."),
    "container_network_receive_packets_total": ("counter", "Cumulative count of packets received."),
    "container_network_transmit_bytes_total": ("counter", "Cumulative count of bytes transmitted."),
    "container_network_transmit_errors_total": ("counter", "Cumulative count of errors while transmitting."),
    "container_network_transmit_packets_dropped_total": ("counter", "Cumulative count of packets dropped on sending."),
    "container_network_transmit_packets_total": ("counter", "Cumulative count of packets transmitted."),
    "container_scrape_error": ("gauge", "1 if there was an error while getting container metrics, 0 otherwise"),
    "machine_cpu_cores": ("gauge", "Number of logical CPU cores."),
    "machine_memory_bytes": ("gauge", "Amount of memory installed on the machine."),
}


def render(snapshot: Snapshot, version: str = "", kernel: str = "", system: str = "") -> str:
    page = Page()
    for name, (kind, text) in FAMILIES.items():
        page.declare(name, kind, text)
    page.add("cadvisor_version_info", 1, {"cadvisor_version": version, "kernel_version": kernel, "os_version": system})
    node = snapshot.node
    _usage(page, _labels("/"), node.usage, node.at)
    page.add("container_start_time_seconds", node.started_at, _labels("/"))
    page.add("container_fs_usage_bytes", node.files.used, _labels("/"), node.at)
    _network(page, _labels("/"), node.interfaces, node.at)
    for pod in snapshot.pods:
        group = f"/kubepods/pod{pod.uid}"
        whole = _labels(group, pod=pod.name, namespace=pod.namespace)
        _usage(page, whole, pod.usage, pod.at)
        page.add("container_start_time_seconds", pod.started_at, whole)
        page.add("container_fs_usage_bytes", pod.volumes + sum(c.on_disk for c in pod.containers), whole, pod.at)
        _network(page, whole, pod.interfaces, pod.at)
        for container in pod.containers:
            own = _labels(
                f"{group}/{container.id}", container.id, container.image, container.name, pod.name, pod.namespace
            )
            _usage(page, own, container.usage, container.at)
            page.add("container_start_time_seconds", container.started_at, own)
            page.add("container_last_seen", container.at, own)
            page.add("container_fs_usage_bytes", container.on_disk, own, container.at)
            page.add("container_spec_cpu_period", PERIOD, own)
            if container.cpu_limit:
                page.add("container_spec_cpu_quota", int(container.cpu_limit * PERIOD), own)
            page.add("container_spec_memory_limit_bytes", container.memory_limit, own)
    page.add("container_scrape_error", 1 if snapshot.failed else 0)
    page.add("machine_cpu_cores", node.cpus)
    page.add("machine_memory_bytes", node.memory_total)
    return page.text()


def _labels(id: str, name: str = "", image: str = "", container: str = "", pod: str = "", namespace: str = "") -> str:
    return pairs({"container": container, "id": id, "image": image, "name": name, "namespace": namespace, "pod": pod})


def _usage(page: Page, labels: str, usage: Usage, at: float) -> None:
    page.add("container_cpu_usage_seconds_total", usage.cpu, f'cpu="total",{labels}', at)
    for name, value in (
        ("memory_usage_bytes", usage.memory),
        ("memory_working_set_bytes", usage.working_set),
        ("memory_rss", usage.rss),
        ("memory_cache", usage.cache),
        ("memory_swap", usage.swap),
        ("memory_mapped_file", usage.mapped_file),
        ("processes", usage.processes),
    ):
        page.add("container_" + name, value, labels, at)
    if usage.periods:
        page.add("container_cpu_cfs_periods_total", usage.periods, labels, at)
        page.add("container_cpu_cfs_throttled_periods_total", usage.throttled_periods, labels, at)
        page.add("container_cpu_cfs_throttled_seconds_total", usage.throttled_seconds, labels, at)


def _network(page: Page, labels: str, interfaces: list[Interface], at: float) -> None:
    for one in interfaces:
        own = f"{labels},{pairs({'interface': one.name})}"
        for way, totals in (
            ("receive", (one.rx_bytes, one.rx_errors, one.rx_dropped, one.rx_packets)),
            ("transmit", (one.tx_bytes, one.tx_errors, one.tx_dropped, one.tx_packets)),
        ):
            for what, value in zip(("bytes", "errors", "packets_dropped", "packets"), totals, strict=True):
                page.add(f"container_network_{way}_{what}_total", value, own, at)
