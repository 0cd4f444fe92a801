"""What kube-proxy counts of itself, under its names in Kubernetes."""

from __future__ import annotations

import time
from typing import Any

from kube import clock
from telemetry.counting import Metrics, doubling
from telemetry.requests import Requests

TRIGGERED = "endpoints.kubernetes.io/last-change-trigger-time"
MOST_WAITING = 10_000  # changes whose time is remembered until they are applied

METRICS = Metrics()
REQUESTS = Requests(METRICS)
SYNC = METRICS.histogram(
    "kubeproxy_sync_proxy_rules_duration_seconds", "SyncProxyRules latency in seconds", bounds=doubling(0.001, 15)
)
PROGRAMMING = METRICS.histogram(
    "kubeproxy_network_programming_duration_seconds",
    "In Cluster Network Programming Latency in seconds",
    bounds=(0.25, 0.5, *range(1, 60), *range(60, 120, 5), *range(120, 301, 30)),
)
LAST = METRICS.gauge("kubeproxy_sync_proxy_rules_last_timestamp_seconds", "The last time proxy rules were synced")
QUEUED = METRICS.gauge("kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds", "The last time a sync was queued")
FAILURES = METRICS.counter("kubeproxy_sync_failures_total", "Cumulative syncs in which a backend failed.")
SERVICES = METRICS.counter("kubeproxy_sync_proxy_rules_service_changes_total", "Cumulative proxy rules Service changes")
ENDPOINTS = METRICS.counter(
    "kubeproxy_sync_proxy_rules_endpoint_changes_total", "Cumulative proxy rules Endpoint changes"
)
PORTS = METRICS.gauge("kubeproxy_service_ports", "Service ports that are forwarded.")
for _family in (FAILURES, SERVICES, ENDPOINTS):
    _family.add(by=0)


class Programming:
    """Times at which endpoints changed that are not yet applied."""

    def __init__(self) -> None:
        self._waiting: list[float] = []

    def changed(self, before: dict[str, Any] | None, now: dict[str, Any]) -> None:
        """A slice changed; it says itself when what it is about did."""
        said = (now["metadata"].get("annotations") or {}).get(TRIGGERED)
        if not said or (before and (before["metadata"].get("annotations") or {}).get(TRIGGERED) == said):
            return
        try:
            at = clock.parse(said)
        except ValueError:
            return  # an annotation that anybody may write
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(at)

    def applied(self) -> None:
        now = time.time()
        for at in self._waiting:
            PROGRAMMING.observe(max(now - at, 0.0))
        self._waiting.clear()

    def forget(self) -> None:
        """What was there at the start is no change."""
        self._waiting.clear()
