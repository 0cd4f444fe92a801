"""The process's own metrics."""

from __future__ import annotations

from collections.abc import Iterator

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
    page = Page()
    page.rows((*_scraping(scraper), *_history(history), *_queries(tally)))
    page.declare("binnacle_monitoring_info", "gauge", "What answers range queries; the value is always 1.")
    page.add("binnacle_monitoring_info", 1, {"backend": backend})
    return page.text().encode() + exposition.render(_API)


def _scraping(scraper: Scraper) -> Iterator[Row]:
    yield "binnacle_monitoring_scrapes_total", "counter", "Rounds in which all kubelets were asked.", scraper.rounds
    yield "binnacle_monitoring_samples_total", "counter", "Samples taken.", scraper.samples
    yield (
        "binnacle_monitoring_last_scrape_timestamp_seconds",
        "gauge",
        "When a kubelet last answered; 0: never.",
        scraper.last,
    )
    yield "binnacle_monitoring_scrape_duration_seconds", "gauge", "What the last round took.", scraper.took
    yield (
        "binnacle_monitoring_silent_nodes",
        "gauge",
        "Nodes whose kubelets did not answer in the last round.",
        len(scraper.failed),
    )


def _history(history: History) -> Iterator[Row]:
    found = sizes(history)
    yield "binnacle_monitoring_history_bytes", "gauge", "What the history takes on the disk.", found["bytes"]
    yield "binnacle_monitoring_history_limit_bytes", "gauge", "What it may take.", history.store.limit
    yield "binnacle_monitoring_entities", "gauge", "Nodes, pods, containers, workloads, namespaces.", found["entities"]
    yield (
        "binnacle_monitoring_open_samples",
        "gauge",
        "Samples in memory, of the half hour that is open.",
        found["samples"],
    )
    yield (
        "binnacle_monitoring_write_failures_total",
        "counter",
        "Writes of the history that the disk refused.",
        history.failed,
    )


def _queries(tally: Tally) -> Iterator[Row]:
    yield "binnacle_monitoring_queries_total", "counter", "Range queries answered.", tally.count
    yield (
        "binnacle_monitoring_query_failures_total",
        "counter",
        "Range queries that the backend could not answer.",
        tally.failed,
    )
    yield "binnacle_monitoring_query_seconds_total", "counter", "Time spent on range queries.", tally.seconds
