"""A hostile cluster is inert: nothing of what its texts attack with runs, is an element, or is asked for, on any page."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

import environment
from addons.catalogue import catalogue
from cluster.changes import Key
from cluster.database import Database
from cluster.store import Store
from tests.browser import hostile
from tests.browser.conftest import Site, _await_answer, _spawn, watched
from tests.browser.hostile import ATTACKS, HUGE, NAME, TEXT
from tests.browser.test_addons import account
from tests.browser.test_logs import Store as LogStore
from tests.conftest import ROOT
from tests.dashboard import fakemonitoring, world
from tests.ports import free_port

POD = "c/local/pods/default/hostile-pod"
# Ids of the pages of `static/js/pages.js`; that there are no others is tested.
PAGES = [
    "overview",
    "nodes",
    "pods",
    "workloads",
    "services",
    "configmaps",
    "persistentvolumeclaims",
    "serviceaccounts",
]
PAGES += ["events", "logs", "kinds"]
FIELDS = "input:is(:not([type]), [type=text], [type=search], [type=password]), textarea"


@dataclass
class Place:
    """The served cluster, and the keys of what is in it."""

    site: Site
    keys: list[Key]


@pytest.fixture(scope="module")
def place(site: Site, migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Dashboard, log store and monitoring of a cluster in which everything attacks."""
    var = tmp_path_factory.mktemp("hostile") / "var"
    shutil.copytree(migrated, var)
    keyed = str(environment.VAR.get())
    os.environ["BINNACLE_VAR"] = str(var)
    store = Store(Database(f"sqlite:///{var}/cluster.db"))
    world.populate(store)
    keys = hostile.populate(store, list(catalogue()))
    hostile.audit(var)
    served, logs = Site(var, store, {}, free_port()), LogStore(var / "logs")
    api = _spawn("tests.browser.fakeapi:application", served.api_port, dict(os.environ))
    names, before = fakemonitoring.NAMES, dict(fakemonitoring.NAMES)
    names.update({name: [TEXT, "__proto__"] for name in names})
    try:
        with fakemonitoring.serving() as monitoring:
            logs.start()
            log_store = world.service("log-store", "kube-system", {})
            log_store["spec"].update(clusterIP="127.0.0.1", ports=[{"port": logs.port}])
            world.create(store, fakemonitoring.service(monitoring.port), log_store)
            fields = {text: text for text in ATTACKS if "\0" not in text}
            logs.add(*ATTACKS, HUGE, age=5, level="error", pod=TEXT, **fields)
            _await_answer(f"http://127.0.0.1:{served.api_port}/readyz")
            account(served)
            served.start()
            yield Place(served, keys)
    finally:
        names.update(before)
        served.stop()
        logs.stop()
        api.kill()
        api.wait()
        store.close()
        os.environ["BINNACLE_VAR"] = keyed


class Visit:
    """A page, and what is asked of it wherever it is."""

    def __init__(self, page: Any, site: Site) -> None:
        self.page, self.site = page, site

    def inert(self, where: str) -> None:
        assert self.page.evaluate(hostile.FOUND) == [], where

    def go(self, path: str, shown: str, text: str = "window.pwned=1") -> None:
        """To another address of the page that is open; until something that is `shown` has `text` in it."""
        self.page.evaluate(
            "(url) => { history.pushState(null, '', url); dispatchEvent(new PopStateEvent('popstate')); }",
            self.site.url + path,
        )
        expect(self.page.locator(shown).filter(has_text=text).first).to_be_visible()
        self.inert(path)

    def fill(self, where: str, *texts: str) -> int:
        """The texts into every field that one sees, each sent off; returns how many fields there are."""
        seen = [one for one in self.page.locator(FIELDS).all() if one.is_visible() and one.is_enabled()]
        for field in seen:
            for text in texts:
                field.fill(text.replace("\0", ""))
                field.press("Enter")
            self.inert(f"{where}: a field")
        return len(seen)


def told_in_dialogs(page: Any, errors: list[str]) -> None:
    """A dialog is an error, and goes on."""

    def told(dialog: Any) -> None:
        errors.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("dialog", told)


@pytest.fixture(scope="module")
def login(place: Place, chrome: Any) -> Any:
    """The cookies of one login."""
    context = chrome.new_context(base_url=place.site.url)
    page = context.new_page()
    page.goto("")
    page.fill("#token", place.site.login_token())
    page.click("button[type=submit]")
    page.wait_for_selector("main .verdict")
    found = context.storage_state()
    context.close()
    return found


@pytest.fixture
def context(place: Place, chrome: Any) -> Iterator[Any]:
    made = chrome.new_context(viewport={"width": 1440, "height": 900}, base_url=place.site.url)
    made.add_cookies([{"name": f"c{i}", "value": quote(text), "url": place.site.url} for i, text in enumerate(ATTACKS)])
    made.add_init_script(f"try {{ localStorage.theme = {TEXT!r}; sessionStorage.reloads = {TEXT!r}; }} catch {{}}")
    yield made
    made.close()


@pytest.fixture
def visit(place: Place, context: Any, login: Any) -> Iterator[Visit]:
    """Logged in; the console is silent to the end, nothing asks anything, and no request leaves the server."""
    context.add_cookies(login["cookies"])
    page, errors = watched(context, place.site)
    told_in_dialogs(page, errors)
    page.goto("")
    page.wait_for_selector("main .verdict")
    made = Visit(page, place.site)
    yield made
    made.inert("at the end")
    assert errors == []


def address(key: Key) -> str:
    return f"c/local/{quote(key.storage)}/{key.namespace or '-'}/{quote(key.name, safe='')}"


def test_what_is_looked_for_is_found(chrome: Any) -> None:
    """In a page that believes the texts."""
    context = chrome.new_context(offline=True)
    page = context.new_page()
    for attack in (one for one in ATTACKS[:12] if "pwned.example" not in one):
        page.set_content(f"<input value=\"{attack}\"><input value='{attack}'><p title=`{attack}`>{attack}</p>")
        assert page.evaluate(hostile.FOUND) != [], attack
    page.goto("about:blank")
    page.set_content(f'<p>{TEXT.partition("<")[0]}</p><a href="{TEXT.partition(chr(34))[0]}">x</a>')
    assert any("<a href" in found for found in page.evaluate(hostile.FOUND))
    context.close()


def test_all_pages_are_visited() -> None:
    script = (ROOT / "dashboard/static/js/pages.js").read_text()
    assert ["overview", *re.findall(r'\{\s*id: "([a-z]+)"', script)] == PAGES


def test_lists_and_pages_of_every_kind(place: Place, visit: Visit) -> None:
    assert {key.storage for key in place.keys} >= {kind.storage for kind in hostile.kinds()}
    for key in place.keys:
        part = "pwned" if key.name == NAME else "hostile"
        visit.go(f"c/local/{quote(key.storage)}?q={part}&wide=1", ".grid-row", part)
        visit.go(address(key), ".summary")
    for tab, shown in (("yaml", ".yaml"), ("history", ".diff"), ("events", "table")):
        visit.go(f"{POD}?tab={tab}", shown, "onerror=")
    visit.go("c/local/pods/guestbook/web-7c9d6b5f44-4xk2p?tab=log", ".log-box", "onerror=")
    for storage in ("traps.example.com", "configmaps", "roles.rbac.authorization.k8s.io", "nodes", "secrets"):
        key = next(key for key in place.keys if key.storage == storage and key.name == NAME)
        visit.go(f"{address(key)}?tab=yaml", ".yaml")
        visit.go(f"{address(key)}?tab=history", ".diff")


def test_every_page_with_attacks_in_its_address_and_its_fields(visit: Visit) -> None:
    query = "&".join(f"{name}={quote(TEXT)}" for name in ("q", "sort", "level", "labels", "tab", "from", "to", "wide"))
    fields = 0
    for page in PAGES:
        where = "" if page == "overview" else page
        visit.go(f"c/local/{where}?ns=default", "#app", "")
        expect(visit.page.locator("main h1, main h2, main .tools, main .grid").first).to_be_visible()
        fields += visit.fill(page, TEXT, " ".join(ATTACKS))
        visit.go(f"c/local/{where}?{query}&ns={quote(TEXT)}&__proto__=polluted", "main", "")
    assert fields > 10
    visit.fill("a filter", HUGE)
    for path in (quote(TEXT, safe=""), f"pods/default/{quote(TEXT, safe='')}", f"{quote(NAME, safe='')}/-/__proto__"):
        visit.go(f"c/local/{path}", "main", "pwned")
    visit.page.goto(f"{visit.site.url}c/local/pods?{query}")
    visit.page.wait_for_selector(".tools")
    visit.page.goto(f"{visit.site.url}c/local/pods")
    visit.page.keyboard.press("Control+k")
    for text in (*ATTACKS[:3], "__proto__", "pwned"):
        visit.page.fill(".find", text)
        visit.inert("search")
    expect(visit.page.locator(".found")).to_contain_text("pwned")
    visit.inert("what is found")


def test_logs(visit: Visit) -> None:
    visit.go("c/local/logs?from=now-1h", ".log-row", "onerror=")
    for row in range(3):
        visit.page.locator(".log-row > button").nth(row).click()
        expect(visit.page.locator(".log-opened pre")).to_be_visible()
        visit.inert("an opened line")
    visit.go(f"c/local/logs?from=now-1h&q={quote(TEXT)}", ".query-under, .log-count", "")


def test_the_login(place: Place, context: Any) -> None:
    page, errors = watched(context, place.site)
    errors.allowed = ("401", "429", "503")  # the stand-in for the API server knows no tokens
    visit = Visit(page, place.site)
    page.goto(f"c/local/{quote(TEXT, safe='')}?next={quote(TEXT)}")
    assert visit.fill("login", *ATTACKS[:2]) > 0
    expect(page.get_by_role("alert")).to_be_visible()
    visit.inert("login")
    assert errors == []


ADMIN = ["", "audit/", "events/", "cluster/", "cluster/object/", "cluster/change/", "password_change/"]


def test_the_admin(place: Place, context: Any) -> None:
    page, errors = watched(context, place.site)
    # The theme that the browser keeps, and an attack in a field of numbers.
    errors.allowed = ("Got invalid theme mode", "cannot be parsed, or is out of range")
    told_in_dialogs(page, errors)
    visit = Visit(page, place.site)
    page.goto(f"admin/login/?next={quote(TEXT)}")
    assert visit.fill("login of the admin", TEXT) == 2
    page.goto("admin/")
    page.fill("#id_username", "anna")
    page.fill("#id_password", "a long one")
    page.click("input[type=submit]")
    expect(page.get_by_role("link", name="DNS")).to_be_visible()
    for path in [*ADMIN, *(f"addon/{name}/" for name in catalogue())]:
        answer = page.goto(f"admin/{path}")
        assert answer.status == 200, path
        visit.inert(path)
        if path not in ("cluster/", "password_change/"):
            expect(page.locator("#content")).to_contain_text("pwned")
        fields = page.locator(f"#content :is({FIELDS})")
        for field in fields.all()[:8]:
            if field.is_visible() and field.is_enabled() and field.is_editable():
                field.fill(TEXT)
        if fields.count():
            fields.last.press("Enter")
            page.wait_for_load_state()
            visit.inert(f"{path}: what its fields say")
    filters = {
        "audit/": ("addon", "page"),
        "events/": ("user", "verb", "resource", "namespace", "since", "until", "cursor"),
        "cluster/object/": ("q", "kind", "namespace", "cluster", "p", "o"),
        "cluster/change/": ("kind", "namespace", "cluster", "until", "p", "o"),
    }
    for path, names in filters.items():
        page.goto(f"admin/{path}?{'&'.join(f'{name}={quote(TEXT)}' for name in names)}")
        visit.inert(f"{path} with a query")
    for kind in ("pods", "traps.example.com", "roles.rbac.authorization.k8s.io"):
        page.goto(
            f"admin/cluster/object/?kind={kind}&q=hostile" if kind == "pods" else f"admin/cluster/object/?kind={kind}"
        )
        page.locator("#result_list tbody a", has_text=re.compile("pwned|hostile")).first.click()
        expect(page.locator("pre.document")).to_contain_text("onerror=")
        visit.inert(kind)
        page.locator("#content table a").first.click()
        expect(page).to_have_url(re.compile("/cluster/change/"))
        visit.inert(f"{kind}: a change")
    assert errors == []
