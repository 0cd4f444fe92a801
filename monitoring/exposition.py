"""The process's own metrics."""

from __future__ import annotations

from monitoring.history.history import History, sizes
from monitoring.scraping.scraper import Scraper
from telemetry import exposition
from telemetry.counting import Metrics
from telemetry.exposition import Page, Row
from telemetry.requests import Requests

_API = Metrics()
REQUESTS = Requests(_API)  # what is asked of the API server


class Tally:
    """Of range queries: answered, failed, seconds spent."""

    def __init__(self) -> None:
        self.count, self.failed, self.seconds = 0, 0, 0.0

    def answered(self, seconds: float) -> None:
        self.count += 1
        self.seconds += seconds


def render(tally: Tally, scraper: Scraper, history: History, backend: str) -> bytes:
    """In Prometheus' text format, version 0.0.4."""
    kept = sizes(history)
    rows: tuple[Row, ...] = (
        ("scrapes_total", "counter", "Rounds in which all kubelets were asked.", scraper.rounds),
        ("samples_total", "counter", "Samples taken.", scraper.samples),
        ("last_scrape_timestamp_seconds", "gauge", "When a kubelet last answered; 0: never.", scraper.last),
        ("scrape_duration_seconds", "gauge", "What the last round took.", scraper.took),
        ("silent_nodes", "gauge", "Nodes whose kubelets did not answer in the last round.", len(scraper.failed)),
        ("history_bytes", "gauge", "What the history takes on the disk.", kept["bytes"]),
        ("history_limit_bytes", "gauge", "What it may take.", history.store.limit),
        ("entities", "gauge", "Nodes, pods, containers, workloads, namespaces.", kept["entities"]),
        ("open_samples", "gauge", "Samples in memory, of the half hour that is open.", kept["samples"]),
        ("write_failures_total", "counter", "Writes of the history that the disk refused.", history.failed),
        ("queries_total", "counter", "Range queries answered.", tally.count),
        ("query_failures_total", "counter", "Range queries that the backend could not answer.", tally.failed),
        ("query_seconds_total", "counter", "Time spent on range queries.", tally.seconds),
    )
    page = Page()
    page.rows((f"binnacle_monitoring_{name}", kind, text, value) for name, kind, text, value in rows)
    page.declare("binnacle_monitoring_info", "gauge", "What answers range queries; the value is always 1.")
    page.add("binnacle_monitoring_info", 1, {"backend": backend})
    return page.text().encode() + exposition.render(_API)
