"""Files of the page that do not arrive."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect


@pytest.mark.parametrize("missing", ["js/socket.js", "vendor/preact.js", "css/base.css"])
def test_a_page_whose_file_did_not_arrive_is_fetched_anew(page: Any, missing: str) -> None:
    refused: list[str] = []

    def twice(route: Any) -> None:
        if len(refused) < 2:
            refused.append(route.request.url)
            route.abort("connectionreset")
        else:
            route.continue_()

    page.errors.allowed = ("ERR_CONNECTION_RESET",)
    page.route(f"**/{missing}", twice)
    page.goto("c/local/pods")
    expect(page.locator(".live")).to_have_text("Live", timeout=20_000)
    assert len(refused) == 2
    assert page.evaluate("sessionStorage.getItem('reloads')") == "0"


def test_a_page_that_can_not_be_had_says_so_and_stops_trying(page: Any) -> None:
    page.errors.allowed = ("ERR_CONNECTION_RESET",)
    page.route("**/js/socket.js", lambda route: route.abort("connectionreset"))
    page.add_init_script("sessionStorage.setItem('reloads', 6)")
    page.goto("c/local/pods")
    expect(page.locator("#app")).to_contain_text("could not be fetched")


def test_a_part_of_the_page_that_did_not_arrive_can_be_asked_for_again(page: Any) -> None:
    page.errors.allowed = ("ERR_CONNECTION_RESET",)
    page.route("**/js/lazy/logs_page.js", lambda route: route.abort("connectionreset"))
    page.goto("c/local/logs")
    expect(page.get_by_role("alert")).to_contain_text("could not be fetched")
    page.unroute("**/js/lazy/logs_page.js")
    page.get_by_role("button", name="Load it again").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("main input").first).to_be_visible()
