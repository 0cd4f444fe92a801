"""What people do at the dashboard and in the admin stands in the audit log, with nothing that should not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cluster.audit import installation
from dashboard import attempts, login
from tests.dashboard.test_attempts import PROXY, accounts, admin_login, browser
from tests.dashboard.test_views import OURS, enter, settings_with

__all__ = ["accounts", "settings_with"]


def events(var: Path) -> list[dict[str, Any]]:
    log = installation.beside(var)
    assert log
    log.writer.flush()
    return [json.loads(line) for line in installation.log_path(var).read_text().splitlines()]


@pytest.fixture
def audited(pages: Path) -> Path:
    installation.prepare(pages)
    installation.beside.cache_clear()
    return pages


def told(var: Path) -> list[tuple[str, str, int, str]]:
    return [
        (e["verb"], e["user"].get("username", ""), e["responseStatus"]["code"], e["annotations"]["binnacle/component"])
        for e in events(var)
    ]


def test_who_came_in_who_did_not_and_who_left(audited: Path, accounts: None) -> None:
    made = browser()
    enter(made, name="boss", password="wrong-word")
    enter(made, name="hunter2", password="x")
    enter(made, token="once-wrong")
    assert enter(made, name="boss", password="correct horse").status_code == 303
    ticket = made.get("/", **OURS).content.decode().split('name="ticket" content="')[1].split('"')[0]
    assert made.post("/logout", {"ticket": ticket}, **OURS).status_code == 303
    assert told(audited) == [
        ("login", "", 401, "dashboard"),
        ("login", "", 401, "dashboard"),
        ("login", "", 401, "dashboard"),
        ("login", "boss", 303, "dashboard"),
        ("logout", "boss", 303, "dashboard"),
    ]
    found = events(audited)
    assert [event["annotations"].get("binnacle/account") for event in found[:3]] == ["boss", None, None]
    assert found[0]["sourceIPs"] == [PROXY] and found[0]["requestURI"] == "/login"
    whole = installation.log_path(audited).read_text()
    assert not any(word in whole for word in ("wrong-word", "hunter2", "once-wrong", "correct horse"))


def test_the_admin_tells_too(audited: Path, accounts: None) -> None:
    made = browser()
    admin_login(made, "boss", "wrong")
    assert admin_login(made, "boss", "correct horse").status_code == 302
    page = made.get("/admin/password_change/", **OURS).content.decode()
    token = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    assert made.post("/admin/logout/", {"csrfmiddlewaretoken": token}, **OURS).status_code == 200
    assert told(audited) == [
        ("login", "", 401, "admin"),
        ("login", "boss", 302, "admin"),
        ("logout", "boss", 200, "admin"),
    ]


def test_a_refusal_is_told(audited: Path, accounts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "begin", lambda *_: 7)
    enter(browser(), name="boss", password="x")
    assert told(audited) == [("login", "", 429, "dashboard")]


def test_without_a_policy_or_with_a_wrong_one_people_come_in_all_the_same(
    pages: Path, accounts: None, caplog: pytest.LogCaptureFixture
) -> None:
    installation.beside.cache_clear()
    assert enter(browser(), token=login.issue_one_time_token()).status_code == 303
    assert not installation.log_path(pages).exists()
    installation.beside.cache_clear()
    installation.prepare(pages)
    installation.policy_path(pages).write_text("rules: nonsense")
    assert enter(browser(), token=login.issue_one_time_token()).status_code == 303
    assert "nothing goes into the audit log" in caplog.text
