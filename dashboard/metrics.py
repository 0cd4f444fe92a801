"""The dashboard's own metrics. They hold no name from a cluster, and so may be read without a login."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

SOCKETS = Gauge("binnacle_dashboard_sockets", "Open live connections.", ["kind"])
FRAMES = Counter("binnacle_dashboard_frames_total", "Frames sent to browsers.")
BYTES = Counter("binnacle_dashboard_frame_bytes_total", "Bytes of the frames sent to browsers.")
LOGINS = Counter("binnacle_dashboard_logins_total", "Logins by result.", ["result"])
DELAY = Histogram(
    "binnacle_dashboard_change_delay_seconds",
    "From a change's commit to its frame.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5),
)


def render() -> tuple[bytes, str]:
    """The exposition text and its content type."""
    return generate_latest(), CONTENT_TYPE_LATEST
