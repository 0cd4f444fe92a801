"""/metrics/node of this machine, read back."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from kubelet.stats import nodepage


def test_the_machine_as_node_exporter_shows_it(tmp_path: Path) -> None:
    families = {family.name: family.samples for family in text_string_to_metric_families(nodepage.render(tmp_path))}
    modes = {sample.labels["mode"] for sample in families["node_cpu_seconds"] if sample.labels["cpu"] == "0"}
    assert {"user", "system", "idle", "iowait", "steal"} <= modes
    memory = {name: families[f"node_memory_{name}_bytes"][0].value for name in ("MemTotal", "MemAvailable", "Slab")}
    assert memory["MemTotal"] > memory["MemAvailable"] > 0 and "node_memory_Active_file_bytes" in families
    size, free = families["node_filesystem_size_bytes"][0], families["node_filesystem_avail_bytes"][0]
    assert size.value > free.value > 0 and Path(size.labels["mountpoint"]).is_mount()
    assert families["node_boot_time_seconds"][0].value < families["node_time_seconds"][0].value
    assert {"node_load1", "node_uname_info"} <= families.keys()
