"""What the kubelet counts of itself, under its names in Kubernetes."""

from __future__ import annotations

from telemetry.counting import Metrics
from telemetry.requests import Requests

METRICS = Metrics()
REQUESTS = Requests(METRICS)
EVICTIONS = METRICS.untyped(
    "kubelet_evictions", "Cumulative number of pod evictions by eviction signal", "eviction_signal"
)
_BUCKETS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
RELIST = METRICS.histogram(
    "kubelet_pleg_relist_duration_seconds",
    "Duration in seconds for looking at the containers of all pods.",
    bounds=_BUCKETS,
)
WORKER = METRICS.histogram(
    "kubelet_pod_worker_duration_seconds",
    "Duration in seconds to sync a single pod.",
    "operation_type",
    bounds=_BUCKETS,
)
NAME = METRICS.gauge("kubelet_node_name", "The node's name. The count is always 1.", "node")
BUILD = METRICS.gauge("kubernetes_build_info", "The version that this kubelet is compatible with.", "git_version")
CONTAINERS = METRICS.gauge("kubelet_running_containers", "Number of containers that run.", "container_state")
PODS = METRICS.gauge("kubelet_running_pods", "Number of pods whose sandbox runs.")
PHASES = METRICS.gauge("kubelet_pods", "Number of pods bound to the node, by phase.", "phase")
_CLAIM = ("namespace", "persistentvolumeclaim")
VOLUMES = {
    "capacity_bytes": METRICS.gauge("kubelet_volume_stats_capacity_bytes", "Capacity in bytes of the volume", *_CLAIM),
    "available_bytes": METRICS.gauge("kubelet_volume_stats_available_bytes", "Available bytes in the volume", *_CLAIM),
    "used_bytes": METRICS.gauge("kubelet_volume_stats_used_bytes", "Used bytes in the volume", *_CLAIM),
    "inodes": METRICS.gauge("kubelet_volume_stats_inodes", "Maximum number of inodes in the volume", *_CLAIM),
    "inodes_free": METRICS.gauge("kubelet_volume_stats_inodes_free", "Free inodes in the volume", *_CLAIM),
    "inodes_used": METRICS.gauge("kubelet_volume_stats_inodes_used", "Used inodes in the volume", *_CLAIM),
}
