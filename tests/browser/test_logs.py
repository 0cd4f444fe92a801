"""The page "Logs" over a real embedded store. Screenshots are left in build/screenshots."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Site, _await_answer
from tests.conftest import ROOT
from tests.dashboard import world
from tests.ports import free_port

STATUS = {"error": 500, "warn": 404}
HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'


class Store:
    """A log store of the test's own, that the dashboard finds as the Service `log-store`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.count = folder, free_port(), 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *more: str) -> None:
        command = [
            sys.executable,
            "-m",
            "logs",
            "--without-api",
            "--address",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--data-dir",
            str(self.folder),
            *more,
        ]
        self.process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": "logging"})
        _await_answer(f"http://127.0.0.1:{self.port}/readyz", 60)

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def add(
        self,
        *messages: str,
        age: float = 0.0,
        level: str = "info",
        pod: str = "web-7c9d6b5f44-4xk2p",
        step: float = 0.0,
        **fields: Any,
    ) -> None:
        lines = []
        for message in messages:
            self.count += 1
            at = datetime.fromtimestamp(time.time() - age + step * len(lines), UTC)
            lines.append(
                orjson.dumps(
                    {
                        "_id": f"{self.count:032x}",
                        "@timestamp": f"{at:%Y-%m-%dT%H:%M:%S.%f}000Z",
                        "message": message,
                        "stream": "stdout",
                        "source": "container",
                        "level": level,
                        "fields": fields,
                        "kubernetes": {
                            "namespace": "guestbook",
                            "pod": pod,
                            "container": "web",
                            "node": "harbor-1",
                            "labels": {"app": "web"},
                            "workload": {"kind": "Deployment", "name": "web"},
                        },
                    }
                )
            )
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/ingest", b"\n".join(lines))
        urllib.request.urlopen(request, timeout=60).close()


@pytest.fixture(scope="module")
def logs(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(tmp_path_factory.mktemp("logs") / "store")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": world.meta("log-store", "kube-system"),
        "spec": {"clusterIP": "127.0.0.1", "ports": [{"port": store.port}]},
    }
    try:
        store.start()
        for level, age in (("info", 400), ("warn", 300), ("error", 200), ("debug", 100)):
            store.add(
                *(f"{level} request {i} took {i} ms" for i in range(40)),
                age=age,
                level=level,
                step=2,
                status=STATUS.get(level, 200),
            )
        store.add(HOSTILE, "disk pressure on harbor-1: évacuation", age=5, level="fatal", user='o\'hara "x"')
        world.create(site.store, service)
        yield store
    finally:
        store.stop()
        if site.store.get(world.key(service)) is not None:
            world.delete(site.store, service)


def rows(page: Any) -> Any:
    return page.locator(".log-lines > .log-row")


def test_logs_that_are_off_say_so(page: Any) -> None:
    page.goto("c/local/logs")
    expect(page.get_by_role("status").filter(has_text="switched off")).to_be_visible()


def test_search_histogram_fields_and_the_link(page: Any, logs: Store, shot: Any) -> None:
    page.goto("c/local/logs")
    expect(page.locator(".log-count")).to_have_text("162 lines")
    expect(rows(page).first).to_contain_text("disk pressure")
    expect(page.locator(".histogram rect.level.error").first).to_be_visible()
    assert page.evaluate("window.pwned") is None
    shot("logs-light")
    page.fill("[aria-label=Query]", "request level:>=warn fields.status:>=500")
    page.keyboard.press("Enter")
    expect(page.locator(".log-count")).to_have_text("40 lines")
    assert "q=request+level%3A%3E%3Dwarn" in page.url
    rows(page).first.locator("button").first.click()
    expect(page.locator(".log-opened pre")).to_have_text("error request 39 took 39 ms")
    page.get_by_role("button", name="Lines around it").click()
    expect(page.locator(".log-around .log-row")).to_have_count(21)
    shot("logs-opened")
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(200)
    shot("logs-dark")
    page.reload()
    expect(page.locator(".log-count")).to_have_text("40 lines")


def test_what_is_wrong_in_a_query_is_underlined(page: Any, logs: Store, shot: Any) -> None:
    page.goto("c/local/logs")
    expect(rows(page).first).to_be_visible()
    page.fill("[aria-label=Query]", "request lebel:warn")
    page.keyboard.press("Enter")
    expect(page.locator(".query-problem")).to_contain_text("Column 9: there is no field 'lebel': did you mean level?")
    expect(page.locator(".query-under u")).to_have_text("lebel")
    shot("logs-wrong-query")
    page.fill("[aria-label=Query]", "request level:warn")
    page.keyboard.press("Enter")
    expect(page.locator(".log-count")).to_have_text("40 lines")
    expect(page.locator(".query-problem")).to_have_count(0)


def test_filters_and_zoom_by_mouse_and_keyboard(page: Any, logs: Store) -> None:
    page.goto("c/local/logs?q=request")
    expect(page.locator(".log-count")).to_have_text("160 lines")
    page.get_by_role("button", name="No lines with level debug").click()
    expect(page.locator(".log-count")).to_have_text("120 lines")
    assert page.locator("[aria-label=Query]").input_value() == "request -level:debug"
    page.locator(".histogram svg").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.get_by_label("From", exact=True)).to_be_visible()
    page.go_back()
    expect(page.locator(".log-count")).to_have_text("120 lines")


def test_lines_arrive_while_one_looks_and_wait_while_paused(page: Any, logs: Store) -> None:
    page.goto("c/local/logs?live=1&q=arrival")
    expect(page.locator(".log-lines .empty")).to_contain_text("as they come")
    # The tail is open once a line comes through.
    deadline = time.monotonic() + 60
    while not rows(page).count() and time.monotonic() < deadline:
        logs.add("arrival")
        page.wait_for_timeout(500)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Go on")).to_be_visible()
    before = rows(page).count()
    logs.add("arrival paused")
    expect(page.get_by_role("button", name=re.compile("Go on · .* new"))).to_be_visible()
    assert rows(page).count() == before
    page.get_by_role("button", name=re.compile("Go on")).click()
    expect(rows(page).first).to_contain_text("arrival paused")


def test_a_store_that_is_gone_is_said_and_found_again(page: Any, logs: Store) -> None:
    page.goto("c/local/logs?q=request")
    expect(page.locator(".log-count")).to_have_text("160 lines")
    logs.stop()
    page.get_by_role("button", name="Refresh").click()
    expect(page.locator(".log-trouble")).to_contain_text("No answer from the log store")
    expect(page.locator(".log-trouble")).to_contain_text("old")
    logs.start()
    expect(page.locator(".log-trouble")).to_have_count(0)
    expect(page.locator(".log-count")).to_have_text("160 lines")


def test_a_download_is_a_file_of_the_lines(page: Any, logs: Store) -> None:
    page.goto("c/local/logs?q=request%20level:error")
    expect(page.locator(".log-count")).to_have_text("40 lines")
    with page.expect_download() as began:
        page.get_by_role("link", name="JSON lines").click()
    lines = Path(began.value.path()).read_bytes().splitlines()
    assert [orjson.loads(line)["message"] for line in lines] == [f"error request {i} took {i} ms" for i in range(40)]
    assert began.value.suggested_filename == "logs.jsonl"


def test_a_pod_leads_to_its_lines(page: Any, logs: Store) -> None:
    page.goto("c/local/pods/guestbook/web-7c9d6b5f44-4xk2p")
    page.get_by_role("link", name="Search logs").click()
    expect(page.locator(".log-count")).to_contain_text("lines")
    assert "q=pod:web-7c9d6b5f44-4xk2p" in page.url.replace("%3A", ":")


def test_a_pod_that_is_gone_and_an_end_lead_to_their_lines(page: Any, logs: Store) -> None:
    logs.add("the last words", age=3000, pod="web-gone")
    page.goto("c/local/pods/guestbook/web-gone")
    page.get_by_role("link", name="Search logs").click()
    expect(page.locator(".log-message").first).to_have_text("the last words")
    page.goto("c/local/deployments.apps/ledger/ledger")
    expect(page.locator(".why")).to_contain_text("exit code 1")
    page.locator(".why").get_by_role("link", name="Lines up to its end").click()
    expect(page).to_have_url(re.compile(r"q=pod%3Aledger-5f6d8c7b9-hq2vn\+container%3Aledger&from=.*&to="))


def test_lines_that_were_dropped_for_room_are_told(page: Any, logs: Store, shot: Any) -> None:
    """The last test of the store: it has room for one index only after this."""
    page.goto("c/local/logs")
    expect(page.locator(".log-count")).to_contain_text("lines")
    expect(page.locator(".log-dropped")).to_have_count(0)
    logs.stop()
    logs.start("--max-size=1")
    logs.add("the flood begins")
    logs.add("the flood goes on")
    page.goto("c/local/logs?q=flood")
    expect(page.locator(".log-dropped")).to_contain_text("were dropped early: the log store has reached its size")
    expect(page.locator(".log-count")).to_have_text("2 lines")
    shot("logs-dropped")
