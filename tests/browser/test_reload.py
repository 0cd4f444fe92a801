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
    expect(page.locator(".live")).to_have_text("Live")
    assert len(refused) == 2


def test_a_page_that_cannot_be_had_says_so_and_stops_trying(page: Any) -> None:
    page.errors.allowed = ("ERR_CONNECTION_RESET",)
    page.route("**/js/socket.js", lambda route: route.abort("connectionreset"))
    page.add_init_script("sessionStorage.setItem('reloads', JSON.stringify(Array(7).fill(Date.now())))")
    page.goto("c/local/pods")
    expect(page.locator("#app")).to_contain_text("could not be fetched")


def test_a_part_of_the_page_that_did_not_arrive_is_asked_for_again(page: Any) -> None:
    page.errors.allowed = ("ERR_CONNECTION_RESET", "imported module")
    refused: list[str] = []

    def once(route: Any) -> None:
        refused.append(route.request.url)
        route.abort("connectionreset") if len(refused) == 1 else route.continue_()

    page.route("**/js/pages/logs/page.js", once)
    page.goto("c/local/logs")
    expect(page.locator("main")).to_contain_text("Logging is switched off")
    assert len(refused) == 2
