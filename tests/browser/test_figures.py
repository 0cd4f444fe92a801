"""The charts in a browser: drawn, moving, readable by pointer and keyboard; and what they say when nothing comes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Site
from tests.dashboard import fakemonitoring, world
from tests.dashboard.fakemonitoring import Monitoring

POD = "c/local/pods/guestbook/web-7c9d6b5f44-4xk2p"


@pytest.fixture
def monitoring(site: Site) -> Iterator[Monitoring]:
    """The addon, answering about a pod with figures each second."""
    with fakemonitoring.serving() as made:
        made.interval = 1
        service = fakemonitoring.service(made.port)
        world.create(site.store, service)
        try:
            yield made
        finally:
            world.delete(site.store, service)


def plot(page: Any, chart: str = "cpu") -> Any:
    return page.locator(f".plot[data-chart={chart}]")


def test_a_chart_is_drawn_and_moves(page: Any, monitoring: Monitoring, shot: Any) -> None:
    page.goto(f"{POD}?range=15m")
    expect(plot(page).locator("canvas")).to_be_visible()
    expect(page.locator(".plot canvas")).to_have_count(4)  # no restart happened: no chart of restarts
    assert int(plot(page).get_attribute("data-points")) > 100
    legend = page.locator(".figure", has=plot(page, "memory")).locator(".figure-legend")
    expect(legend).to_contain_text(re.compile(r"web.*(MiB|–).*requested.*128 MiB.*limit.*256 MiB", re.S))
    newest = plot(page).get_attribute("data-newest")
    expect(plot(page)).not_to_have_attribute("data-newest", newest)
    shot("figures-pod-light")
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(300)
    shot("figures-pod-dark")


def test_values_are_read_by_pointer_and_keyboard(page: Any, monitoring: Monitoring) -> None:
    monitoring.interval = 15  # so that nothing moves while we look
    page.goto(POD)
    expect(plot(page).locator("canvas")).to_be_visible()
    when = page.locator(".figure .when")
    expect(when.first).to_have_text("")
    box = plot(page).bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60)
    expect(when.first).to_contain_text(re.compile(r"\d\d:\d\d:\d\d"))
    assert len(set(when.all_inner_texts())) == 1, "one crosshair for all charts"
    page.mouse.move(0, 0)
    plot(page).focus()
    page.keyboard.press("Home")
    first = when.first.inner_text()
    page.keyboard.press("ArrowRight")
    expect(when.first).not_to_have_text(first)
    page.keyboard.press("Escape")
    expect(when.first).to_have_text("")
    assert "Left and right arrows" in plot(page).get_attribute("aria-label")


def test_the_range_is_in_the_url(page: Any, monitoring: Monitoring) -> None:
    page.goto(POD)
    page.get_by_role("group", name="How far back").get_by_role("button", name="7d").click()
    expect(page).to_have_url(re.compile(r"range=7d"))
    expect(plot(page).locator("canvas")).to_be_visible()
    assert {query["range"] for query in monitoring.asked[-1:]} == {"7d"}


def test_charts_of_a_time_that_is_over(page: Any, monitoring: Monitoring) -> None:
    page.goto(f"{POD}?range=15m&to={world.ago(7200)}")
    expect(plot(page).locator("canvas")).to_be_visible()
    assert float(monitoring.asked[-1]["to"]) == pytest.approx(time.time() - 7200, abs=300)
    ended = float(plot(page).get_attribute("data-newest"))
    expect(page.locator(".figure-state.bad")).to_have_count(0)  # that it is old is what was asked for
    page.get_by_role("button", name="until").click()
    expect(page).not_to_have_url(re.compile(r"[?&]to="))
    expect(plot(page)).not_to_have_attribute("data-newest", str(int(ended)))
    assert "to" not in monitoring.asked[-1]


@pytest.mark.parametrize(
    "path",
    [
        "c/local/nodes/-/harbor-1",
        "c/local/deployments.apps/guestbook/web",
        "c/local/namespaces/-/guestbook",
        "c/local/",
    ],
)
def test_other_pages_have_charts_too(page: Any, monitoring: Monitoring, path: str, shot: Any) -> None:
    page.goto(path)
    expect(plot(page).locator("canvas")).to_be_visible()
    expect(page.locator(".figure-legend").first).to_contain_text("total")
    shot(f"figures-{path.split('/')[2] or 'overview'}")


def test_silence_is_said_with_its_age_and_heals(page: Any, monitoring: Monitoring, shot: Any) -> None:
    page.goto(POD)
    expect(plot(page).locator("canvas")).to_be_visible()
    monitoring.mode = "deaf"
    alert = page.locator(".figures [role=alert]")
    expect(alert).to_contain_text(re.compile(r"No answer from monitoring for \d+s: what is shown"))
    expect(plot(page).locator("canvas")).to_be_visible()  # what was there stays
    shot("figures-silent")
    monitoring.mode = "ok"
    expect(alert).to_have_count(0)


def test_old_figures_are_said_to_be_old(page: Any, monitoring: Monitoring) -> None:
    monitoring.age = 400
    page.goto(POD)
    expect(page.locator(".figures [role=alert]")).to_contain_text("The newest figure is 6m")


def test_a_switch_that_is_off_is_said(page: Any, site: Site) -> None:
    page.goto(POD)
    expect(page.locator(".figure-state")).to_have_text("Monitoring is switched off: no figures are taken.")
    assert page.locator(".plot").count() == 0
