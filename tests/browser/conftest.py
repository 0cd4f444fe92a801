"""The dashboard in the system's Chromium: a server of its own over a small world, and a page that is logged in.

`BINNACLE_BROWSER` names another executable. Each test fails if the console says an error, or a request leaves the server.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect, sync_playwright

import environment
from cluster.database import Database
from cluster.store import Store
from tests.conftest import ROOT
from tests.dashboard import world
from tests.ports import free_port
from tests.prepare import needs

SHOTS = ROOT / "build" / "screenshots"
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def chromium() -> str | None:
    return environment.BROWSER.get() or shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass
class Site:
    """A served dashboard. `start` and `stop` are for tests of lost connections."""

    var: Path
    store: Store
    things: dict[str, Any]
    api_port: int
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def environment(self) -> dict[str, str]:
        env = {
            **os.environ,
            "BINNACLE_VAR": str(self.var),
            "BINNACLE_PORT": str(self.port),
            "BINNACLE_API_URL": f"http://127.0.0.1:{self.api_port}",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        env.pop("DATABASE_URL", None)
        return env

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", "config.dashboard"], cwd=ROOT, env=self.environment)
        _await_answer(self.url + "healthz")

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def login_token(self) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", "login_token", "--skip-checks"],
            cwd=ROOT,
            check=True,
            timeout=60,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()


def _spawn(application: str, port: int, env: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "uvicorn",
            application,
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--log-level",
            "warning",
        ],
        cwd=ROOT,
        env=env,
    )


def _await_answer(url: str, timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.fixture(scope="session")
def site(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The dashboard over a small world, with a stand-in for the API server's logs."""
    if chromium() is None:
        needs("chromium")
    var = tmp_path_factory.mktemp("browser") / "var"
    shutil.copytree(migrated, var)
    # The key of the templates' fixture encrypts the secrets here too.
    os.environ["BINNACLE_VAR"] = str(var)
    store = Store(Database(f"sqlite:///{var}/cluster.db"))
    api_port = free_port()
    made = Site(var, store, world.populate(store), api_port)
    api = _spawn("tests.browser.fakeapi:application", api_port, dict(os.environ))
    try:
        _await_answer(f"http://127.0.0.1:{api_port}/readyz")
        made.start()
        yield made
    finally:
        made.stop()
        api.kill()
        api.wait()
        store.close()


@pytest.fixture(scope="package")
def chrome(site: Site) -> Iterator[Any]:
    """Gone with the last test of this folder: as long as the driver is there, no other event loop runs in its thread."""
    expect.set_options(timeout=60_000)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def state(site: Site, chrome: Any) -> Any:
    """The cookies of one login."""
    context = chrome.new_context()
    page = context.new_page()
    page.goto(site.url)
    page.fill("#token", site.login_token())
    page.click("button[type=submit]")
    page.wait_for_selector("main .verdict")
    found = context.storage_state()
    context.close()
    return found


class Errors(list[str]):
    """What the console complained of; `allowed` are words that a test expects."""

    # Interfaces of this machine that come and go (pods of another test) are not the page's fault.
    machine = "ERR_NETWORK_CHANGED"
    allowed: tuple[str, ...] = ()

    def add(self, text: str) -> None:
        if not any(word in text for word in (*self.allowed, self.machine)):
            self.append(text)


def watched(context: Any, site: Site) -> tuple[Any, Errors]:
    """A page whose console errors and foreign requests are noted."""
    page, errors = context.new_page(), Errors()
    page.on("console", lambda m: errors.add(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: errors.add(str(e)))
    page.on(
        "request", lambda r: None if r.url.startswith((site.url, "data:", "blob:")) else errors.add(f"foreign: {r.url}")
    )
    page.set_default_timeout(60_000)
    return page, errors


@pytest.fixture
def page(site: Site, chrome: Any, state: Any) -> Iterator[Any]:
    """A page that is logged in; `page.errors` are its console's."""
    context = chrome.new_context(
        viewport={"width": 1440, "height": 900}, storage_state=state, color_scheme="light", base_url=site.url
    )
    made, errors = watched(context, site)
    made.errors = errors
    yield made
    context.close()
    assert errors == []


@pytest.fixture
def shot(page: Any) -> Any:
    """Save a screenshot under build/screenshots."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    return lambda name: page.screenshot(path=str(SHOTS / f"{name}.png"))
