"""The admin's lists and pages of objects as one sees them, light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Site, watched
from tests.browser.test_addons import HOSTILE, account, shoot
from tests.dashboard import world


@pytest.fixture
def page(site: Site, chrome: Any) -> Iterator[Any]:
    """A page of a superuser at the start of the admin."""
    account(site)
    context = chrome.new_context(viewport={"width": 1280, "height": 900}, base_url=site.url, color_scheme="light")
    made, errors = watched(context, site)
    made.scripted = True
    made.goto("admin/")
    made.fill("#id_username", "anna")
    made.fill("#id_password", "a long one")
    made.click("input[type=submit]")
    yield made
    context.close()
    assert errors == []


def test_from_the_list_to_an_object_and_its_changes(page: Any, site: Site) -> None:
    evil = world.config_map("evil", "guestbook", {"text": HOSTILE})
    world.create(site.store, evil)
    page.get_by_role("link", name="Objects", exact=True).click()
    page.locator("#changelist-filter").get_by_role("link", name="ConfigMap", exact=True).click()
    page.locator("#changelist-filter").get_by_role("link", name="guestbook").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    shoot(page, "admin-objects")
    page.get_by_role("link", name="evil").click()
    expect(page.locator("pre.document")).to_contain_text("<img src=x")
    shoot(page, "admin-object")
    page.locator("#content table a").first.click()
    expect(page).to_have_url(re.compile("/cluster/change/"))
    page.goto("admin/cluster/object/?q=web-db")
    page.get_by_role("link", name="web-db").click()
    expect(page.locator("pre.document")).to_contain_text("••••••")
    page.goto("admin/cluster/change/")
    expect(page.locator("#result_list tbody tr").first).to_contain_text("evil")
    shoot(page, "admin-changes")
    assert page.evaluate("window.pwned") is None
