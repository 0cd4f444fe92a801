"""/metrics/node: the machine under the names of node-exporter, as far as the dashboards of kubernetes-mixin ask for it."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

from kubelet.stats import machine
from kubelet.stats.processes import TICKS
from telemetry.exposition import Page

MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
FAMILIES = {
    "node_cpu_seconds_total": ("counter", "Seconds the CPUs spent in each mode."),
    "node_load1": ("gauge", "1m load average."),
    "node_load5": ("gauge", "5m load average."),
    "node_load15": ("gauge", "15m load average."),
    "node_boot_time_seconds": ("gauge", "Node boot time, in unixtime."),
    "node_time_seconds": ("gauge", "System time in seconds since epoch."),
    "node_filesystem_size_bytes": ("gauge", "Filesystem size in bytes."),
    "node_filesystem_avail_bytes": ("gauge", "Filesystem space available to non-root users in bytes."),
    "node_filesystem_files": ("gauge", "Filesystem total file nodes."),
    "node_filesystem_files_free": ("gauge", "Filesystem total free file nodes."),
    "node_network_receive_bytes_total": ("counter", "Network device statistic receive_bytes."),
    "node_network_receive_drop_total": ("counter", "Network device statistic receive_drop."),
    "node_network_receive_errs_total": ("counter", "Network device statistic receive_errs."),
    "node_network_receive_packets_total": ("counter", "Network device statistic receive_packets."),
    "node_network_transmit_bytes_total": ("counter", "Network device statistic transmit_bytes."),
    "node_network_transmit_drop_total": ("counter", "Network device statistic transmit_drop."),
    "node_network_transmit_errs_total": ("counter", "Network device statistic transmit_errs."),
    "node_network_transmit_packets_total": ("counter", "Network device statistic transmit_packets."),
    "node_uname_info": ("gauge", "Labeled system information as provided by the uname system call."),
}


def render(root: Path, proc: Path = Path("/proc")) -> str:
    """`root`: a folder of the file system to show."""
    page = Page()
    for name, (kind, text) in FAMILIES.items():
        page.declare(name, kind, text)
    for line in (proc / "stat").read_text().splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name != "cpu":
            for mode, ticks in zip(MODES, fields, strict=False):
                page.add("node_cpu_seconds_total", int(ticks) / TICKS, {"cpu": name[3:], "mode": mode})
    for name, value in zip(
        ("node_load1", "node_load5", "node_load15"), (proc / "loadavg").read_text().split(), strict=False
    ):
        page.add(name, float(value))
    _memory(page, proc)
    page.add("node_boot_time_seconds", machine.booted(proc))
    page.add("node_time_seconds", time.time())
    found, mount_point = machine.file_system(root), root.absolute()
    while not mount_point.is_mount():
        mount_point = mount_point.parent
    labels = {"device": "", "fstype": "", "mountpoint": os.fspath(mount_point)}
    page.add("node_filesystem_size_bytes", found.capacity, labels)
    page.add("node_filesystem_avail_bytes", found.available, labels)
    page.add("node_filesystem_files", found.inodes, labels)
    page.add("node_filesystem_files_free", found.inodes_free, labels)
    _network(page, proc)
    uname = platform.uname()
    page.add(
        "node_uname_info",
        1,
        {
            "machine": uname.machine,
            "nodename": uname.node,
            "release": uname.release,
            "sysname": uname.system,
            "version": uname.version,
        },
    )
    return page.text()


def _memory(page: Page, proc: Path) -> None:
    for line in (proc / "meminfo").read_text().splitlines():
        field, _, rest = line.partition(":")
        words = rest.split()
        if words[1:] == ["kB"]:
            name = "node_memory_" + field.replace("(", "_").replace(")", "") + "_bytes"
            page.declare(name, "gauge", f"Memory information field {field}.")
            page.add(name, int(words[0]) * 1024)


def _network(page: Page, proc: Path) -> None:
    for one in machine.interfaces("self", proc):
        device = {"device": one.name}
        for way, totals in (
            ("receive", (one.rx_bytes, one.rx_dropped, one.rx_errors, one.rx_packets)),
            ("transmit", (one.tx_bytes, one.tx_dropped, one.tx_errors, one.tx_packets)),
        ):
            for what, value in zip(("bytes", "drop", "errs", "packets"), totals, strict=True):
                page.add(f"node_network_{way}_{what}_total", value, device)
