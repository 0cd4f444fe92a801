"""The admin pages of the addons as one uses them, light and dark, with JavaScript and without."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from cluster.database import Database
from cluster.store import Store
from tests.addons.sample import Cluster
from tests.browser.conftest import SHOTS, Site, watched
from tests.conftest import ROOT
from tests.ports import free_port

HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'


class World(Cluster):
    """A cluster with the DNS addon in it, its one pod running."""

    addon, workload = "dns", "kube-dns"


@pytest.fixture(scope="module")
def place(site: Site, migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, World]]:
    """Served admin pages over a small cluster of their own, whose addon manager the tests drive."""
    from cluster.cache import Cache
    from cluster.verbs import Session
    from controllers.runtime import Context

    var = tmp_path_factory.mktemp("admin") / "var"
    shutil.copytree(migrated, var)
    store = Store(Database(f"sqlite:///{var}/cluster.db"))
    session = Session(1, "system:addon-manager", Cache(store), store)
    session.create("namespaces", "", {"metadata": {"name": "kube-system"}})
    session.create("serviceaccounts", "kube-system", {"metadata": {"name": "default"}})
    world = World(Context(session, session.cache))
    world.node()
    world.turn()
    world.work(since=world.now - 60)
    world.turn(after=11)
    served = Site(var, store, {}, free_port())
    try:
        account(served)
        served.start()
        yield served, world
    finally:
        served.stop()
        store.close()


def account(site: Site) -> None:
    environment = {
        **os.environ,
        **site.environment,
        "DJANGO_SUPERUSER_PASSWORD": "a long one",
        "DJANGO_SUPERUSER_USERNAME": "anna",
        "DJANGO_SUPERUSER_EMAIL": "anna@example.org",
    }
    subprocess.run(
        [sys.executable, "manage.py", "createsuperuser", "--noinput", "--skip-checks", "-v", "0"],
        cwd=ROOT,
        env=environment,
        check=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def cookies(place: tuple[Site, World], chrome: Any) -> Any:
    context = chrome.new_context(base_url=place[0].url)
    page = context.new_page()
    page.goto("admin/")
    page.fill("#id_username", "anna")
    page.fill("#id_password", "a long one")
    page.click("input[type=submit]")
    expect(page.get_by_role("link", name="DNS")).to_be_visible()
    found = context.storage_state()
    context.close()
    return found


@pytest.fixture(params=[True, False], ids=["script", "plain"])
def page(request: pytest.FixtureRequest, place: tuple[Site, World], chrome: Any, cookies: Any) -> Iterator[Any]:
    """A page of somebody who is logged in, with JavaScript and without."""
    context = chrome.new_context(
        viewport={"width": 1280, "height": 900},
        storage_state=cookies,
        base_url=place[0].url,
        java_script_enabled=request.param,
        color_scheme="light",
    )
    made, errors = watched(context, place[0])
    made.scripted, made.errors = request.param, errors
    yield made
    context.close()
    assert errors == []


def shoot(page: Any, name: str) -> None:
    """Pictures of the whole page, light and dark."""
    if page.scripted:
        SHOTS.mkdir(parents=True, exist_ok=True)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=str(SHOTS / f"{name}-{scheme}.png"), full_page=True)
        page.emulate_media(color_scheme="light")


def test_a_wrong_value_is_told_and_a_right_one_rolled_out_and_back(page: Any, place: tuple[Site, World]) -> None:
    _, world = place
    page.goto("admin/")
    expect(page.locator("tr", has_text="forwarding of every other name")).to_contain_text("healthy")
    shoot(page, "addons")
    page.get_by_role("link", name="DNS").click()
    page.get_by_label("ttl", exact=True).fill("4000")
    page.get_by_role("button", name="Save and roll out").click()
    expect(page.locator(".option.wrong")).to_contain_text('ttl: "4000" is out of range')
    expect(page.locator(".errornote")).to_be_visible()
    shoot(page, "addon-wrong")
    page.get_by_label("ttl", exact=True).fill("9")
    page.get_by_label("replicas").fill("2")
    page.get_by_role("button", name="Save and roll out").click()
    expect(page.locator(".messagelist")).to_contain_text("ttl from 5 to 9")
    world.turn()
    world.work(ready=False, crashed=True)
    world.turn(after=1)
    if not page.scripted:
        page.reload()
    expect(page.locator("#live .busy")).to_contain_text("Rolling out")
    expect(page.locator("#live .pods")).to_contain_text("exit code 7: no such <file>")
    shoot(page, "addon-rollout")
    world.turn(after=121)
    world.events()
    if not page.scripted:
        page.reload()
    expect(page.locator("#live .box.warn")).to_contain_text("Rolled back replicas=2, ttl=9")
    # With JavaScript the form becomes what is in force by itself.
    expect(page.get_by_label("ttl", exact=True)).to_have_value("5")
    expect(page.locator(".trail tbody tr").first).to_contain_text("rolled back")
    shoot(page, "addon-rolled-back")
    if page.scripted:
        page.get_by_label("ttl", exact=True).fill("7")
    world.work(since=world.now - 60)
    world.turn(after=60)
    world.edit(replicas="3")
    if page.scripted:
        expect(page.locator("#other")).to_be_visible()
        expect(page.get_by_label("ttl", exact=True)).to_have_value("7")  # what was entered is not lost
    world.edit(replicas="1")
    world.turn(after=60)


def test_a_reset_and_hostile_texts(page: Any, place: tuple[Site, World]) -> None:
    _, world = place
    world.edit(stub_domains=HOSTILE, ttl="8")
    world.turn()
    page.goto("admin/addon/dns/")
    expect(page.locator("#live .box.bad")).to_contain_text("<img src=x")
    expect(page.get_by_label("stub_domains")).to_have_value(HOSTILE)
    page.locator(".option", has_text="Domains whose names").get_by_role("button", name="Reset to default").click()
    expect(page.get_by_label("stub_domains")).to_have_value("{}")
    expect(page.get_by_label("ttl", exact=True)).to_have_value("8")
    page.get_by_role("button", name="Reset all to defaults").click()
    page.get_by_role("button", name="Save and roll out").click()
    expect(page.locator(".messagelist")).to_contain_text("stub_domains from")
    world.turn()
    page.goto("admin/audit/?addon=dns")
    expect(page.locator(".trail")).to_contain_text("refused")
    shoot(page, "addons-trail")
    if page.scripted:
        assert page.evaluate("window.pwned") is None


def test_every_page_of_the_admin_keeps_to_the_policy(page: Any, place: tuple[Site, World]) -> None:
    """What a strict Content-Security-Policy refuses is an error of the console, which the fixture tells."""
    pages = ["admin/", "admin/addon/dns/", "admin/audit/", "admin/cluster/", "admin/password_change/", "admin/events/"]
    lists = ["admin/cluster/object/?kind=configmaps", "admin/cluster/change/"]
    for path in pages + lists:
        answer = page.goto(path)
        assert answer.status == 200 and "unsafe" not in answer.headers["content-security-policy"], path
        expect(page.locator("#site-name")).to_be_visible()
    page.goto(lists[0])
    page.locator("#result_list tbody a").first.click()
    expect(page.locator("pre.document")).to_be_visible()
    if page.scripted:
        page.locator(".theme-toggle").first.click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        inline = (
            "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.pwned = 1'}))"
        )
        page.evaluate(inline)
        assert page.evaluate("window.pwned") is None, "inline scripts are refused"
        assert any("Content Security Policy" in error for error in page.errors)
        page.errors.clear()


def test_the_login_of_the_admin_keeps_to_the_policy(place: tuple[Site, World], chrome: Any) -> None:
    context = chrome.new_context(base_url=place[0].url)
    page, errors = watched(context, place[0])
    page.goto("admin/")
    page.fill("#id_username", "anna")
    page.fill("#id_password", "not that")
    page.click("input[type=submit]")
    expect(page.locator(".errornote")).to_be_visible()
    context.close()
    assert errors == []
