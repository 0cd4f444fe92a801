from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboard import api, login
from tests.dashboard.drive import HOST

OURS = {"HTTP_HOST": HOST, "HTTP_ORIGIN": f"http://{HOST}"}


@pytest.fixture
def browser(pages: Path) -> Iterator[Any]:
    from django.test import Client

    yield Client(enforce_csrf_checks=True)


@pytest.fixture
def settings_with(pages: Path) -> Iterator[Any]:
    """Override Django settings until the test ends."""
    from django.test import override_settings

    opened = []

    def use(**values: Any) -> None:
        opened.append(override_settings(**values))
        opened[-1].enable()

    yield use
    for one in opened:
        one.disable()


def form(browser: Any, path: str = "/") -> dict[str, str]:
    """The hidden fields of the login form."""
    text = browser.get(path, **OURS).content.decode()
    return dict(re.findall(r'name="(ticket|next)" value="([^"]*)"', text))


def enter(browser: Any, path: str = "/", **fields: str) -> Any:
    return browser.post("/login", {**form(browser, path), **fields}, **OURS)


def test_nothing_is_shown_without_a_login(browser: Any) -> None:
    for path in ("/", "/c/local/", "/c/local/pods/default/web"):
        text = browser.get(path, **OURS).content.decode()
        assert 'name="token"' in text
        assert 'id="app"' not in text


def test_the_address_of_the_form_leads_to_the_page_with_the_form(browser: Any) -> None:
    answer = browser.get("/login", **OURS)
    assert (answer.status_code, answer["Location"]) == (303, "./")


def test_a_one_time_token_works_once_and_leads_where_one_wanted(browser: Any) -> None:
    from dashboard.models import LoginToken

    token = login.issue_one_time_token()
    assert token not in str(list(LoginToken.objects.values()))
    answer = enter(browser, "/c/local/pods?ns=default", token=token)
    assert (answer.status_code, answer["Location"]) == (303, "./c/local/pods?ns=default")
    assert 'id="app"' in browser.get("/c/local/pods", **OURS).content.decode()
    other = type(browser)()
    assert enter(other, token=token).status_code == 401


def test_a_one_time_token_expires(browser: Any) -> None:
    assert enter(browser, token=login.issue_one_time_token(timedelta(seconds=-1))).status_code == 401


def test_cookies_are_closed_to_scripts_and_other_sites(browser: Any) -> None:
    enter(browser, token=login.issue_one_time_token())
    [cookie] = [c for name, c in browser.cookies.items() if name.startswith("binnacle-")]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_an_api_token_logs_in_as_its_user(browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    users = {"good": {"username": "bob", "uid": "1", "groups": ["system:authenticated"]}}
    monkeypatch.setattr(api, "who_is", users.get)
    assert enter(browser, token="bad").status_code == 401
    assert enter(browser, token="good").status_code == 303
    assert "bob" in browser.get("/", **OURS).content.decode()


def test_an_api_server_that_is_away_is_said(browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINNACLE_API_URL", "http://127.0.0.1:9")
    answer = enter(browser, token="any")
    assert answer.status_code == 503
    assert "could not be checked" in answer.content.decode()


def test_accounts_staff_see_all_others_have_no_built_in_groups(browser: Any, settings_with: Any) -> None:
    settings_with(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])  # the real one takes seconds
    from django.contrib.auth.models import Group, User

    User.objects.create_superuser("boss", password="correct horse")
    plain = User.objects.create_user("plain", password="battery staple")
    plain.groups.add(Group.objects.create(name="system:masters"), Group.objects.create(name="team-a"))
    assert enter(browser, name="boss", password="wrong").status_code == 401
    assert enter(browser, name="boss", password="correct horse").status_code == 303
    assert login.user_of(browser.session).is_master
    enter(browser, name="plain", password="battery staple")
    browser.cookies.clear()
    assert enter(browser, name="plain", password="battery staple").status_code == 303
    assert login.user_of(browser.session).groups == ("team-a", "system:authenticated")
    User.objects.filter(username="plain").update(is_active=False)
    assert login.user_of(browser.session) is None


def test_forms_of_other_sites_are_refused(browser: Any) -> None:
    token = login.issue_one_time_token()
    fields = {**form(browser), "token": token}
    assert browser.post("/login", fields, HTTP_HOST=HOST, HTTP_ORIGIN="https://evil.example").status_code == 403
    assert browser.post("/login", fields, HTTP_HOST=HOST).status_code == 403
    assert browser.post("/login", {**fields, "ticket": "0" * 64}, **OURS).status_code == 403
    assert browser.post("/login", fields, **OURS).status_code == 303


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", "\\\\evil", "c/..//evil\r\nX: y", "javascript:x"]
)
def test_a_login_leads_nowhere_else(browser: Any, wanted: str) -> None:
    answer = browser.post("/login", {**form(browser), "next": wanted, "token": login.issue_one_time_token()}, **OURS)
    assert answer["Location"] == "./"


def test_logout_ends_the_session_and_needs_the_page(browser: Any) -> None:
    enter(browser, token=login.issue_one_time_token())
    key = browser.session.session_key
    ticket = re.search(r'name="ticket" content="(\w+)"', browser.get("/", **OURS).content.decode())
    assert ticket
    assert browser.post("/logout", {}, **OURS).status_code == 403
    assert browser.post("/logout", {"ticket": ticket[1]}, **OURS).status_code == 303
    assert login.user_of_key(key) is None


def test_links_are_relative_so_that_any_prefix_works(browser: Any) -> None:
    enter(browser, token=login.issue_one_time_token())
    for path, root in (("/", "./"), ("/c/local/", "../../"), ("/c/local/pods/default/web", "../../../../")):
        text = browser.get(path, **OURS).content.decode()
        assert f'<meta name="root" content="{root}">' in text
        assert all(link.startswith(root) for link in re.findall(r'(?:src|href)="([^"]+)"', text))


def test_headers_of_pages_and_files(browser: Any) -> None:
    from dashboard import statics

    page = browser.get("/", **OURS)
    assert "script-src 'self';" in page["Content-Security-Policy"]
    assert "unsafe" not in page["Content-Security-Policy"]
    assert "no-store" in page["Cache-Control"]
    file = browser.get(f"/static/{statics.build()}/js/boot.js", HTTP_ACCEPT_ENCODING="gzip", **OURS)
    assert (file["Content-Type"], file["Content-Encoding"]) == ("text/javascript; charset=utf-8", "gzip")
    assert "immutable" in file["Cache-Control"]
    assert browser.get("/static/old/js/boot.js", **OURS)["Cache-Control"] == "no-store"
    assert browser.get(f"/static/{statics.build()}/../views.py", **OURS).status_code == 404


@pytest.mark.parametrize("path", ["/pods", "/nowhere/at/all", "/c/", "/admin-of/nothing?x=<script>"])
def test_an_address_that_is_none_leads_to_the_overview(browser: Any, path: str) -> None:
    answer = browser.get(path, **OURS)
    text = answer.content.decode()
    assert answer.status_code == 404 and "There is no page at this address." in text and "?x=" not in text
    up = "../" * (path.partition("?")[0].count("/") - 1) or "./"
    assert f'<a href="{up}">' in text and f'href="{up}static/' in text


@pytest.mark.parametrize(
    "path",
    ["/login", "/healthz", "/admin/login/", "/admin/static/admin/css/base.css", "/nowhere", "/c/local/logs/download"],
)
def test_every_answer_forbids_what_is_not_ours(browser: Any, path: str) -> None:
    policy = browser.get(path, **OURS)["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy


def test_a_refused_host_forbids_too(browser: Any) -> None:
    answer = browser.get("/", HTTP_HOST="evil.example")
    assert answer.status_code == 400 and "default-src 'none'" in answer["Content-Security-Policy"]


def test_no_address_takes_anything_but_login_and_logout(browser: Any) -> None:
    for path in ("/", "/c/local/pods", "/c/local/pods/default/web", "/healthz", "/metrics"):
        for method in ("post", "put", "patch", "delete"):
            assert getattr(browser, method)(path, **OURS).status_code in (403, 405)


def test_health_and_metrics_need_no_login_and_name_nothing(browser: Any) -> None:
    assert browser.get("/healthz", **OURS).content == b"ok\n"
    text = browser.get("/metrics", **OURS).content.decode()
    assert "# TYPE binnacle_dashboard_frames_total counter" in text and "\nbinnacle_dashboard_frames_total " in text
    assert "guestbook" not in text
