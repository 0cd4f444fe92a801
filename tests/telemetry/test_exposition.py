"""Counted metrics as a page: what is asked of the API server, counters without a suffix, and what promtool says."""

from __future__ import annotations

import math
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import ProcessCollector
from prometheus_client.parser import text_string_to_metric_families

from telemetry.counting import Metrics
from telemetry.exposition import Page, render
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
    return render(metrics)


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


def test_numbers_and_labels_of_all_sorts_are_read_as_they_were_written() -> None:
    written = [0, 1, -1, 0.5, 1e-9, 1e300, 2**63, float("inf"), float("-inf"), float("nan")]
    label = 'a"b\\c\nd'
    made = Page()
    made.declare("values", "gauge", "Values.")
    made.declare("never", "counter", "Has no sample, and is left out.")
    for number, value in enumerate(written):
        made.add("values", value, {"number": str(number), "odd": label})
    [family] = text_string_to_metric_families(made.text())
    assert [sample.labels for sample in family.samples] == [
        {"number": str(n), "odd": label} for n in range(len(written))
    ]
    read = [sample.value for sample in family.samples]
    assert read[:-1] == written[:-1] and math.isnan(read[-1])


def test_the_process_is_shown_as_client_libraries_show_it() -> None:
    found = {f.name: f.samples[0].value for f in text_string_to_metric_families(render(Metrics()).decode())}
    theirs = {f.name: f.samples[0].value for f in ProcessCollector(registry=None).collect()}
    assert found.keys() == theirs.keys()
    assert found["process_start_time_seconds"] == pytest.approx(theirs["process_start_time_seconds"], abs=1)
    assert found["process_max_fds"] == theirs["process_max_fds"]
    for name in ("process_resident_memory_bytes", "process_virtual_memory_bytes", "process_cpu_seconds"):
        assert found[name] == pytest.approx(theirs[name], rel=0.5)


@given(st.lists(st.floats(0, 100), max_size=30))
def test_a_histogram_counts_what_was_observed(values: list[float]) -> None:
    metrics = Metrics()
    family = metrics.histogram("seconds", "Seconds.", "who", bounds=(1, 10, 50))
    for value in values:
        family.observe(value, "me")
    families = {f.name: f for f in text_string_to_metric_families(render(metrics).decode())}
    if not values:
        assert "seconds" not in families
        return
    samples = {(s.name, s.labels.get("le")): s.value for s in families["seconds"].samples if s.labels["who"] == "me"}
    for bound in (1.0, 10.0, 50.0, math.inf):
        text = "+Inf" if bound == math.inf else str(bound)
        assert samples["seconds_bucket", text] == sum(value <= bound for value in values)
    assert samples["seconds_count", None] == len(values)
    assert samples["seconds_sum", None] == pytest.approx(sum(values), abs=1e-6)
