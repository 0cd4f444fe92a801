"""The dashboard as one uses it. Screenshots are left in build/screenshots."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import Site, watched
from tests.dashboard import world

BROKEN = "c/local/pods/ledger/ledger-5f6d8c7b9-hq2vn"
HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'

# Whether the chart of changes has a pixel of this colour.
DRAWN = """([...rgb]) => {
    const canvas = document.querySelector(".chart canvas");
    const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
    const context = copy.getContext("2d", { willReadFrequently: true });
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, copy.width, copy.height);
    for (let i = 0; i < data.length; i += 4)
        if (data[i + 3] > 100 && rgb.every((value, at) => Math.abs(data[i + at] - value) < 6)) return true;
    return false;
}"""


def rows(page: Any) -> Any:
    return page.locator(".grid-row")


def test_login_and_logout(site: Site, chrome: Any) -> None:
    context = chrome.new_context(viewport={"width": 1100, "height": 720}, base_url=site.url)
    page, errors = watched(context, site)
    errors.allowed = ("401",)
    page.goto("c/local/pods?ns=guestbook")
    expect(page.get_by_role("heading", name="Binnacle")).to_be_visible()
    page.screenshot(path="build/screenshots/login.png")
    page.fill("#token", "once-wrong")
    page.click("button[type=submit]")
    expect(page.get_by_role("alert")).to_contain_text("did not match")
    page.fill("#token", site.login_token())
    page.click("button[type=submit]")
    expect(rows(page)).to_have_count(3)
    assert page.url.endswith("c/local/pods?ns=guestbook")
    page.click("text=Log out")
    expect(page.locator("#token")).to_be_visible()
    assert errors == []
    context.close()


def test_the_overview_shows_what_is_wrong(page: Any, shot: Any) -> None:
    page.goto("")
    expect(page.locator(".verdict")).to_have_text("1 node, 2 pods and 1 deployment failing")
    expect(page.locator("section[aria-label='What is wrong now']")).to_contain_text("CrashLoopBackOff")
    expect(page.locator("section[aria-label='Warnings']")).to_contain_text("Insufficient cpu")
    expect(page.locator(".chart canvas")).to_be_visible()
    shot("overview-light")
    page.wait_for_function(DRAWN, arg=[0x14, 0x76, 0x7A])
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(DRAWN, arg=[0x4F, 0xC3, 0xC0])
    shot("overview-dark")


def test_a_pod_arrives_changes_and_goes_without_a_reload(page: Any, site: Site) -> None:
    page.goto("c/local/pods?ns=default")
    expect(page.locator(".empty")).to_contain_text("There are no pods in default")
    pod = world.pod("arrival", "default")
    world.create(site.store, pod)
    expect(rows(page)).to_have_count(1)
    expect(rows(page).first).to_contain_text("Running")
    pod["status"] = world.crashing("tool")
    world.update(site.store, pod)
    expect(rows(page).first).to_contain_text("CrashLoopBackOff")
    world.delete(site.store, pod)
    expect(rows(page)).to_have_count(0)


def test_filters_sorting_and_rows_live_in_the_url(page: Any, shot: Any) -> None:
    page.goto("c/local/pods")
    expect(rows(page)).to_have_count(6)
    page.keyboard.press("/")
    page.keyboard.type("ledger")
    expect(rows(page)).to_have_count(2)
    page.keyboard.press("Escape")
    page.get_by_role("button", name=re.compile("failing")).click()
    page.get_by_role("columnheader", name="Restarts").get_by_role("button").click()
    page.get_by_role("columnheader", name="Restarts").get_by_role("button").click()
    expect(rows(page).first).to_contain_text("CrashLoopBackOff")
    assert page.url.endswith("c/local/pods?level=2&sort=-restarts")
    page.reload()
    expect(rows(page)).to_have_count(2)
    expect(rows(page).first).to_contain_text("CrashLoopBackOff")
    page.fill("[aria-label='Label selector']", "app=web")
    page.keyboard.press("Enter")
    expect(rows(page)).to_have_count(0)
    assert "labels=app" in page.url
    page.goto("c/local/pods")
    expect(rows(page)).to_have_count(6)
    shot("pods-light")


def test_the_keyboard(page: Any, shot: Any) -> None:
    page.goto("")
    page.wait_for_selector(".verdict")
    page.keyboard.press("g")
    page.keyboard.press("p")
    expect(rows(page)).to_have_count(6)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    expect(page.locator(".grid-row.on")).to_contain_text("web-7c9d6b5f44-9mzqd")
    page.keyboard.press("Enter")
    expect(page.locator(".object-name")).to_contain_text("web-7c9d6b5f44-9mzqd")
    page.keyboard.press("]")
    page.keyboard.press("]")
    expect(page.locator(".yaml")).to_contain_text("apiVersion: v1")
    page.keyboard.press("u")
    expect(rows(page)).to_have_count(6)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("go to Pods")
    shot("keys")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Control+k")
    page.keyboard.type("service web")
    expect(page.locator(".found")).to_contain_text("guestbook")
    page.keyboard.press("Enter")
    expect(page.locator(".object-name")).to_contain_text("web")
    expect(page.locator("section[aria-label='Pods that it selects'] li")).to_have_count(3)


def test_why_a_pod_fails_and_its_log_follows(page: Any, shot: Any) -> None:
    page.goto(BROKEN)
    expect(page.locator(".why")).to_contain_text("CrashLoopBackOff")
    expect(page.locator(".tree").first).to_contain_text("Deployment")
    shot("pod-light")
    page.locator(".why").get_by_text("Log of the previous run").click()
    expect(page.locator(".log-state")).to_contain_text("The log has ended")
    page.get_by_role("button", name="Previous run").click()
    expect(page.locator(".log-state")).to_contain_text("Following")
    expect(page.locator(".log-box")).to_contain_text("live line 3")
    page.fill("[aria-label='Find in the log']", "attempt")
    page.get_by_role("button", name="Only matches").click()
    expect(page.locator("mark").first).to_have_text("attempt")
    expect(page.locator(".log-line")).to_have_count(8)
    page.get_by_role("button", name="Only matches").click()
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(200)
    shot("log-dark")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".status-line")).to_contain_text("paused")
    shown = page.locator(".log-line").last.inner_text()
    expect(page.locator(".status-line")).to_contain_text(re.compile(r"paused, [1-9]\d* new"))
    assert page.locator(".log-line").last.inner_text() == shown


def test_a_log_does_not_look_live_when_the_node_of_its_pod_is_gone(page: Any, site: Site) -> None:
    pod = world.pod("stranded", "guestbook", on="harbor-3")
    world.create(site.store, pod)
    try:
        page.goto("c/local/pods/guestbook/stranded?tab=log")
        expect(page.locator(".log-state")).to_have_text("Nothing new may come: Its node harbor-3 is not ready")
    finally:
        world.delete(site.store, pod)


def test_a_node_says_what_ails_it_and_an_address_that_names_nothing_is_no_blank_page(page: Any) -> None:
    page.goto("c/local/nodes/-/harbor-3")
    expect(page.locator(".why")).to_contain_text("The node has not been heard of")
    expect(page.get_by_role("navigation", name="Parts")).not_to_contain_text("Log")
    page.goto("c/local/pods/guestbook/%E0%A4%A")
    expect(page.locator(".object-head")).to_contain_text("does not exist")


def test_history_shows_the_difference_of_two_moments(page: Any, site: Site, shot: Any) -> None:
    obj = world.config_map("settings", "ledger", {"level": "info", "workers": "4"})
    world.create(site.store, obj)
    for level in ("debug", "warn"):
        obj["data"]["level"] = level
        world.update(site.store, obj)
    page.goto("c/local/configmaps/ledger/settings?tab=history")
    expect(page.locator(".moments li")).to_have_count(3)
    expect(page.locator(".diff .minus")).to_have_text(re.compile("level: debug"))
    expect(page.locator(".diff .plus")).to_have_text(re.compile("level: warn"))
    page.locator(".moments li").last.get_by_text("from").click()
    expect(page.locator(".diff .minus")).to_have_text(re.compile("level: info"))
    shot("history-light")
    obj["data"]["level"] = "error"
    world.update(site.store, obj)
    expect(page.locator(".moments li")).to_have_count(4)
    world.delete(site.store, obj)
    expect(page.locator(".object-name")).to_contain_text("deleted")


def test_hostile_strings_stay_text(page: Any, site: Site) -> None:
    pod = world.pod("hostile", "default", labels={"app": "x"})
    pod["metadata"]["annotations"] = {"note": HOSTILE}
    pod["status"]["message"] = HOSTILE
    waiting = {"reason": "CrashLoopBackOff", "message": HOSTILE}
    pod["status"]["containerStatuses"][0].update(ready=False, state={"waiting": waiting})
    world.create(
        site.store,
        pod,
        world.event(pod, "hostile-event", "Failed", HOSTILE, "Warning"),
        world.config_map("hostile", "default", {HOSTILE: HOSTILE}),
    )
    for path in (
        "",
        "c/local/events",
        "c/local/pods/default/hostile",
        "c/local/pods/default/hostile?tab=yaml",
        "c/local/pods/default/hostile?tab=events",
        "c/local/pods/default/hostile?tab=history",
        "c/local/configmaps/default/hostile",
        "c/local/pods/default/hostile?tab=log",
    ):
        page.goto(path)
        expect(page.locator("main")).to_contain_text("onerror=" if "log" not in path else "<b>bold</b>")
        assert page.evaluate("window.pwned") is None
        assert page.locator("main img").count() == 0
    world.delete(site.store, pod)


def test_a_lost_connection_is_said_and_heals_without_a_reload(page: Any, site: Site, shot: Any) -> None:
    page.errors.allowed = ("WebSocket connection", "ERR_CONNECTION_REFUSED")
    page.goto("c/local/pods?ns=ledger")
    expect(rows(page)).to_have_count(2)
    page.evaluate("window.untouched = true")
    site.stop()
    expect(page.get_by_role("alert")).to_contain_text("Connection lost")
    expect(page.locator(".live")).to_contain_text(re.compile(r"\d+s old"))
    shot("lost-light")
    pod = world.pod("while-away", "ledger")
    world.create(site.store, pod)
    site.start()
    expect(page.locator(".live")).to_have_text("Live")
    expect(rows(page)).to_have_count(3)
    expect(page.get_by_role("alert")).to_have_count(0)
    assert page.evaluate("window.untouched") is True
    world.delete(site.store, pod)


def test_a_silent_server_is_noticed(page: Any, site: Site) -> None:
    import signal

    page.errors.allowed = ("WebSocket connection",)
    page.goto("c/local/pods")
    expect(page.locator(".live")).to_have_text("Live")
    assert site.process
    site.process.send_signal(signal.SIGSTOP)
    try:
        expect(page.get_by_role("alert")).to_contain_text("Connection lost")
    finally:
        site.process.send_signal(signal.SIGCONT)
    expect(page.locator(".live")).to_have_text("Live")


def test_what_hangs_behind_the_page_is_told_with_what_that_means(page: Any, shot: Any) -> None:
    away: dict[str, Any] = {}

    def heard(socket: Any) -> None:
        """The server's frames, with what is `away` put into what they say of its health; nothing else is wrong."""
        server = socket.connect_to_server()

        def frame(text: str) -> None:
            told = json.loads(text)
            if "health" in told:
                told["health"] |= away
            if "problems" in (told.get("doc") or {}):
                told["doc"] |= {"health": {}, "problems": [], "problem_count": 0}
            socket.send(json.dumps(told))

        server.on_message(frame)

    page.route_web_socket(re.compile("/live$"), heard)
    page.goto("c/local/overview")
    expect(page.locator("main .verdict")).to_have_text("Nothing is failing")
    away |= {
        "scheduler": {"up": False, "age": 7.2, "why": "does not answer (TimeoutError)"},
        "kubelet": {"up": None, "age": None, "why": "another program is at its port 10250"},
        "kubeproxy": {"up": False, "age": None, "why": "answers 500"},
    }
    expect(page.get_by_role("alert")).to_have_text(
        "Scheduler does not answer (7s): new pods get no node now. Also away: kube-proxy."
    )
    expect(page.locator("main .verdict")).to_have_text("Nothing is known to fail")
    behind = page.locator(".behind")
    expect(behind.locator("li", has_text="Scheduler")).to_contain_text("7s")
    expect(behind.locator("li", has_text="kube-proxy")).to_contain_text("not seen")
    expect(behind.locator("li", has_text="Kubelet")).to_have_attribute("title", "another program is at its port 10250")
    shot("scheduler-away-light")
    away |= {name: {"up": True, "age": 0.1, "why": ""} for name in away}
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("main .verdict")).to_have_text("Nothing is failing")


def test_a_column_of_quantities_is_ordered_by_amount(page: Any, site: Site) -> None:
    volumes = [world.volume(f"pv-{size.lower()}", size) for size in ("1Ti", "10Gi", "128Mi")]
    world.create(site.store, *volumes)
    page.goto("c/local/persistentvolumes?sort=capacity")
    expect(rows(page)).to_have_text([re.compile("pv-128mi"), re.compile("pv-10gi"), re.compile("pv-1ti")])
    page.get_by_role("columnheader", name="Capacity").get_by_role("button").click()
    expect(rows(page)).to_have_text([re.compile("pv-1ti"), re.compile("pv-10gi"), re.compile("pv-128mi")])
    for one in volumes:
        world.delete(site.store, one)


def test_what_is_written_into_the_label_field_stays_while_rows_change(page: Any, site: Site) -> None:
    page.goto("c/local/configmaps?ns=default")
    field = page.locator("[aria-label='Label selector']")
    field.press_sequentially("app=")
    written = world.config_map("while-one-writes", "default", {})
    world.create(site.store, written)
    expect(page.locator(".grid-row", has_text="while-one-writes")).to_be_visible()
    field.press_sequentially("web")
    expect(field).to_have_value("app=web")
    page.keyboard.press("Enter")
    expect(page.locator(".grid-row")).to_have_count(0)
    world.delete(site.store, written)


def test_narrow_screens_and_dark(page: Any, shot: Any) -> None:
    page.set_viewport_size({"width": 400, "height": 820})
    page.emulate_media(color_scheme="dark")
    page.goto("")
    page.wait_for_selector(".verdict")
    shot("overview-narrow-dark")
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Pods").first.click()
    expect(rows(page).first).to_be_visible()
    shot("pods-narrow-dark")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("d")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"


def test_every_registered_page_opens_by_its_key_and_is_found_by_its_title(page: Any) -> None:
    page.goto("")
    expect(page.locator("main .verdict")).to_be_visible()
    pages = page.evaluate("""async () => {
        const { PAGES } = await import(new URL('pages.js', document.querySelector('script[type=module]').src));
        return PAGES.map(({ id, title, key }) => ({ id, title, key }));
    }""")
    assert {"overview", "pods", "logs", "kinds"} <= {one["id"] for one in pages}
    navigation = page.get_by_role("navigation", name="Pages")
    for one in pages:
        page.locator("body").press("g")
        page.keyboard.press(one["key"])
        expect(navigation.locator("[aria-current=page]")).to_contain_text(one["title"])
        expect(page.get_by_role("heading", level=1)).to_have_text(one["title"])
        expect(page).to_have_title(f"{one['title']} · Binnacle")
        expect(page.locator("main .page")).to_be_visible()
        expect(page.locator("main .loading")).to_have_count(0)
        if one["id"] != "logs":  # which says here that logging is off
            expect(page.locator("main .failure")).to_have_count(0)
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_have_text(one["title"])
    page.keyboard.press("Control+k")
    page.keyboard.type("storage")
    expect(page.locator(".found li").first).to_have_text(re.compile("Page.*Storage"))
