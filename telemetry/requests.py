"""What a process asks of the API server, under client-go's names: the observer of a `client.Client`."""

from __future__ import annotations

from telemetry.counting import Metrics

BOUNDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)


class Requests:
    """Counts in `metrics`; `prefix` is what the names begin with in processes that have names of their own."""

    def __init__(self, metrics: Metrics, prefix: str = "") -> None:
        self._total = metrics.counter(
            f"{prefix}rest_client_requests_total",
            "Number of HTTP requests, partitioned by status code, method, and host.",
            "code",
            "method",
            "host",
        )
        self._duration = metrics.histogram(
            f"{prefix}rest_client_request_duration_seconds",
            "Request latency in seconds. Broken down by verb, and host.",
            "verb",
            "host",
            bounds=BOUNDS,
        )

    def answered(self, method: str, host: str, code: str) -> None:
        self._total.add(code, method, host)

    def took(self, method: str, host: str, seconds: float) -> None:
        self._duration.observe(seconds, method, host)
