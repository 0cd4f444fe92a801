"""The dashboard's own metrics. They hold no name from a cluster, and so may be read without a login."""

from __future__ import annotations

from telemetry.counting import Metrics

METRICS = Metrics()
SOCKETS = METRICS.gauge("binnacle_dashboard_sockets", "Open live connections.", "kind")
FRAMES = METRICS.counter("binnacle_dashboard_frames_total", "Frames sent to browsers.")
BYTES = METRICS.counter("binnacle_dashboard_frame_bytes_total", "Bytes of the frames sent to browsers.")
LOGINS = METRICS.counter("binnacle_dashboard_logins_total", "Logins by result.", "result")

for family in (FRAMES, BYTES):
    family.add(by=0)  # shown from the start
