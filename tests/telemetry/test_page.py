"""Counted metrics as a page: what is asked of the API server, counters without a suffix, and what promtool says."""

from __future__ import annotations

import subprocess

from prometheus_client.parser import text_string_to_metric_families

from telemetry.counting import Metrics
from telemetry.page import Page
from telemetry.requests import Requests
from tests.prepare import needs


def page() -> bytes:
    metrics = Metrics()
    requests = Requests(metrics)
    for code in ("200", "200", "<error>"):
        requests.answered("GET", "127.0.0.1:6443", code)
    requests.took("GET", "127.0.0.1:6443", 0.2)
    metrics.untyped("kubelet_evictions", "Evictions.", "eviction_signal").add("emptydirfs.limit", by=2)
    metrics.gauge("things", "Things.").set(3)
    return Page(metrics).text()


def test_families_are_as_client_go_and_the_kubelet_have_them() -> None:
    found = {
        (sample.name, *sorted(sample.labels.items())): (family.type, sample.value)
        for family in text_string_to_metric_families(page().decode())
        for sample in family.samples
    }
    host = ("host", "127.0.0.1:6443")
    assert found["rest_client_requests_total", ("code", "200"), host, ("method", "GET")] == ("counter", 2)
    assert found["rest_client_requests_total", ("code", "<error>"), host, ("method", "GET")] == ("counter", 1)
    for bound, count in (("0.1", 0), ("0.25", 1), ("+Inf", 1)):
        key = "rest_client_request_duration_seconds_bucket", host, ("le", bound), ("verb", "GET")
        assert found[key] == ("histogram", count)
    assert found["kubelet_evictions", ("eviction_signal", "emptydirfs.limit")][1] == 2
    assert found["things",] == ("gauge", 3)


def test_promtool_likes_it() -> None:
    needs("promtool")
    done = subprocess.run(["promtool", "check", "metrics"], input=page(), capture_output=True, timeout=60, check=False)
    assert (done.stdout, done.stderr, done.returncode) == (b"", b"", 0)
