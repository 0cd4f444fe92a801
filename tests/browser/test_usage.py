"""CPU and memory now, in lists and on the overview: in order, moving, with their age and the reason of a gap."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Site
from tests.dashboard import fakemetrics, world


@pytest.fixture
def metrics(site: Site) -> Iterator[None]:
    """The addon `metrics` is on; the stand-in for the API server answers for it."""
    service = fakemetrics.service()
    world.create(site.store, service)
    yield
    world.delete(site.store, service)


def row(page: Any, name: str) -> Any:
    return page.locator(".grid-row", has_text=name)


def cell(page: Any, name: str, measure: str) -> Any:
    """The cell of CPU or memory of a row."""
    return row(page, name).locator("[role=gridcell]", has=page.locator(".usage")).nth(["cpu", "memory"].index(measure))


def test_pods_show_what_they_use_and_it_moves(page: Any, metrics: None, shot: Any) -> None:
    page.goto("c/local/pods")
    used = cell(page, "4xk2p", "cpu")
    expect(used).to_contain_text(re.compile(r"1\d\dm / 250m"))
    expect(cell(page, "4xk2p", "memory")).to_have_text("64Mi / 256Mi")
    expect(used).to_have_attribute("title", re.compile(r"^CPU 1\d\dm, measured \d+s ago; requested 250m; no limit$"))
    expect(cell(page, "9mzqd", "memory").locator("b")).to_have_class("tone bad")  # 250 of 256 MiB
    assert cell(page, "4xk2p", "memory").locator(".usage-bar i").evaluate("bar => bar.style.width") == "25%"
    expect(page.locator(".usage-state")).to_have_text(re.compile(r"CPU and memory measured \d+s ago"))
    expect(cell(page, "w7d4s", "cpu")).to_have_attribute(
        "title", re.compile("^Not measured: .*; requested 250m; no limit$")
    )
    shot("usage-pods")
    expect(used).not_to_have_text(used.inner_text())


def test_a_list_is_sorted_by_usage_most_first(page: Any, metrics: None) -> None:
    page.goto("c/local/pods")
    expect(cell(page, "4xk2p", "cpu")).to_contain_text("m /")
    page.get_by_role("columnheader", name="CPU").get_by_role("button").click()
    expect(page.locator(".grid-row").first).to_contain_text("9mzqd")
    assert page.url.endswith("sort=-cpu")
    page.get_by_role("columnheader", name="Memory").get_by_role("button").click()
    page.get_by_role("columnheader", name="Memory").get_by_role("button").click()
    assert page.url.endswith("sort=memory")
    page.reload()
    expect(page.locator(".grid-row").last).to_contain_text("9mzqd")


def test_nodes_show_it_against_what_they_have(page: Any, metrics: None, shot: Any) -> None:
    page.goto("c/local/nodes")
    expect(cell(page, "harbor-2", "cpu")).to_contain_text(re.compile(r"7\.9\d* / 8"))
    expect(cell(page, "harbor-2", "cpu").locator("b")).to_have_class("tone bad")
    expect(cell(page, "harbor-1", "memory")).to_have_text("4Gi / 16Gi")
    expect(cell(page, "harbor-3", "cpu")).to_have_attribute("title", re.compile("^Not measured: its kubelet .* 8$"))
    shot("usage-nodes")


def test_the_overview_sums_it_up(page: Any, metrics: None) -> None:
    page.goto("c/local/")
    meter = page.get_by_role("meter", name="Memory")
    expect(meter).to_have_attribute("aria-valuetext", re.compile(r"^6.0 GiB used, \d+ MiB requested of 48.0 GiB$"))
    page.goto("c/local/?ns=guestbook")
    expect(meter).to_have_attribute("aria-valuetext", re.compile(r"^442 MiB used, "))


def test_without_the_addon_the_list_says_so(page: Any) -> None:
    page.goto("c/local/pods")
    expect(page.locator(".usage-state")).to_contain_text("The addon metrics is switched off")
    expect(cell(page, "4xk2p", "cpu")).to_have_text("– / 250m")


def test_an_export_has_the_figures_of_all_rows(page: Any, metrics: None) -> None:
    page.goto("c/local/pods")
    expect(cell(page, "4xk2p", "cpu")).to_contain_text("m /")
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").click()
    lines = saved.value.path().read_text().splitlines()
    assert "CPU,CPU request,CPU limit,Memory,Memory request,Memory limit" in lines[0]
    assert any(re.search(r"9mzqd,.*,3\d\dm,250m,,250Mi,128Mi,256Mi", line) for line in lines), lines
