"""`python -m tests.e2e.browse URL TOKEN PATH SHOT`: log in, look at a page's charts until one moves, print what was seen.

In a process of its own: the browser's driver keeps an event loop, which other tests must not find.
"""

from __future__ import annotations

import json
import sys

from playwright.sync_api import expect, sync_playwright

from tests.browser.conftest import ARGS, chromium

PATIENCE = 60_000  # milliseconds


def main(url: str, token: str, path: str, shot: str) -> None:
    errors: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=ARGS)
        page = browser.new_page(viewport={"width": 1440, "height": 1000}, base_url=url)
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda m: errors.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: errors.append(str(e)))
        page.goto("")
        page.fill("#token", token)
        page.click("button[type=submit]")
        page.wait_for_selector("main .verdict")
        page.goto(path)
        plot = page.locator(".plot[data-chart=memory]")
        plot.locator("canvas").wait_for()
        newest = plot.get_attribute("data-newest") or ""
        expect(plot).not_to_have_attribute("data-newest", newest, timeout=PATIENCE)
        page.screenshot(path=shot)
        print(
            json.dumps(
                {
                    "errors": errors,
                    "points": int(plot.get_attribute("data-points") or 0),
                    "legend": page.locator(".figure-legend").all_inner_texts(),
                }
            )
        )
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
