"""How often a password may be tried: per account and address, whoever else is at that address, in bounded room."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dashboard import api, attempts, login
from tests.dashboard.drive import HOST
from tests.dashboard.test_views import OURS, enter, form, settings_with

__all__ = ["settings_with"]

PROXY = "192.0.2.1"


@pytest.fixture
def accounts(pages: Path, settings_with: Any) -> Iterator[None]:
    """`boss` and `clerk`, whose passwords are quick to check."""
    settings_with(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
    from django.contrib.auth.models import User

    User.objects.create_superuser("boss", password="correct horse")
    User.objects.create_superuser("clerk", password="battery staple")
    yield


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that attempts are counted at, to be moved."""
    now = [1_000_000.0]
    monkeypatch.setattr(attempts.time, "time", lambda: now[0])
    return now


def browser(address: str = PROXY) -> Any:
    from django.test import Client

    return Client(enforce_csrf_checks=True, REMOTE_ADDR=address)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """No delay is over before the test is."""
    monkeypatch.setattr(attempts, "_delay", lambda tries: 0 if tries <= attempts.FREE else 60)


def shut_out(address: str = PROXY, name: str = "boss") -> Any:
    """The answer of the dashboard that first says to wait."""
    made = browser(address)
    for _ in range(attempts.FREE + 1):
        assert enter(made, name=name, password="wrong").status_code == 401
    return enter(made, name=name, password="wrong")


def admin_login(client: Any, name: str, password: str) -> Any:
    page = client.get("/admin/login/", **OURS).content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    fields = {"username": name, "password": password, "csrfmiddlewaretoken": token[1], "next": "/admin/"}
    return client.post("/admin/login/", fields, **OURS)


def test_one_account_is_shut_out_and_no_other_behind_the_same_proxy(accounts: None, slow: None) -> None:
    answer = shut_out()
    assert answer.status_code == 429
    assert 1 <= int(answer["Retry-After"]) <= 60
    words = r"Too many failed logins from your address. Please try again in \d+ s\."
    assert re.search(words, answer.content.decode())
    assert enter(browser(), name="boss", password="correct horse").status_code == 429, (
        "not even the right one is judged"
    )
    assert enter(browser(), name="clerk", password="battery staple").status_code == 303
    assert enter(browser("198.51.100.7"), name="boss", password="correct horse").status_code == 303


def test_the_admin_shuts_out_too_and_both_count_together(accounts: None, slow: None) -> None:
    client = browser()
    for _ in range(attempts.FREE):
        assert admin_login(client, "boss", "wrong").status_code == 200
    assert enter(browser(), name="boss", password="wrong").status_code == 401
    answer = admin_login(client, "boss", "correct horse")
    assert answer.status_code == 429 and int(answer["Retry-After"]) > 0
    assert "Too many failed logins from your address" in answer.content.decode()
    assert admin_login(browser(), "clerk", "battery staple").status_code == 302


def test_the_old_password_is_no_way_around(accounts: None, slow: None) -> None:
    client = browser()
    assert admin_login(client, "boss", "correct horse").status_code == 302

    def change(old: str) -> Any:
        page = client.get("/admin/password_change/", **OURS).content.decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert token
        new = {"new_password1": "a much better one", "new_password2": "a much better one"}
        fields = {"old_password": old, **new, "csrfmiddlewaretoken": token[1]}
        return client.post("/admin/password_change/", fields, **OURS)

    for _ in range(attempts.FREE + 1):
        assert change("wrong").status_code == 200
    answer = change("correct horse")
    assert answer.status_code == 429 and "Too many failed logins" in answer.content.decode()
    attempts.succeeded("boss", PROXY)
    assert change("correct horse").status_code == 302


def test_a_new_password_ends_the_sessions_of_the_old_one(accounts: None) -> None:
    from django.contrib.auth.models import User

    made = browser()
    assert enter(made, name="boss", password="correct horse").status_code == 303
    key = made.session.session_key
    assert login.user_of_key(key) == "boss"
    account = User.objects.get(username="boss")
    account.set_password("another one")
    account.save()
    assert login.user_of_key(key) is None


@pytest.mark.parametrize(("name", "password"), [("boss", ""), ("", "x"), ("", "")])
def test_a_form_of_the_admin_that_is_not_filled_in_is_no_attempt_and_forgets_none(
    accounts: None, slow: None, name: str, password: str
) -> None:
    client = browser()
    for _ in range(attempts.FREE + 1):
        admin_login(client, "boss", "wrong")
        assert admin_login(client, name, password).status_code == 200
    assert admin_login(client, "boss", "correct horse").status_code == 429


def test_a_name_that_nobody_has_is_answered_as_one_that_somebody_has(accounts: None, slow: None) -> None:
    assert shut_out(name="boss").content.decode().count("Too many") == shut_out(name="ghost").content.decode().count(
        "Too"
    )


def test_one_time_and_signed_tokens_are_never_shut_out(
    accounts: None, slow: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "who_is", {"a.good.one": {"username": "bob"}, "static": {"username": "eve"}}.get)
    made = browser()
    for _ in range(attempts.FREE + 3):
        assert enter(made, token="once-wrong").status_code == 401
        assert enter(made, token="a.bad.one").status_code == 401
    assert enter(made, token=login.issue_one_time_token()).status_code == 303
    assert enter(browser(), token="a.good.one").status_code == 303
    made = browser()
    for _ in range(attempts.FREE + 1):
        assert enter(made, token="guess").status_code == 401
    assert enter(made, token="static").status_code == 429, "a static token may be a word that somebody chose"
    assert enter(browser(), name="boss", password="correct horse").status_code == 303


def test_the_delay_grows_up_to_a_bound_and_a_success_ends_it(accounts: None, clock: list[float]) -> None:
    waits = []
    for _ in range(20):
        assert attempts.begin("boss", PROXY) == 0
        waits.append(wait := attempts.begin("boss", PROXY))
        if not wait:  # the second try was counted as well
            attempts.undone("boss", PROXY)
        clock[0] += wait
    grown = [wait for wait in waits if wait]
    assert grown[:4] == [2, 4, 8, 16] and grown[-1] == attempts.LONGEST
    assert attempts.begin("boss", PROXY) == 0
    attempts.succeeded("boss", PROXY)
    assert [attempts.begin("boss", PROXY) for _ in range(attempts.FREE + 1)] == [0] * (attempts.FREE + 1)


def test_what_is_long_ago_is_forgotten(accounts: None, clock: list[float]) -> None:
    for _ in range(attempts.FREE + 1):
        attempts.begin("boss", PROXY)
    assert attempts.begin("boss", PROXY) > 0
    clock[0] += attempts.FORGOTTEN + 1
    assert [attempts.begin("boss", PROXY) for _ in range(2)] == [0, 0]


def test_an_api_server_that_is_away_counts_for_nothing(accounts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINNACLE_API_URL", "http://127.0.0.1:9")
    for _ in range(attempts.FREE + 3):
        assert enter(browser(), token="any").status_code == 503


def test_made_up_names_take_bounded_room_and_make_nothing_forgotten(
    accounts: None, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.models import FailedLogin

    monkeypatch.setattr(attempts, "MOST", 50)
    for _ in range(attempts.FREE + 1):
        attempts.begin("boss", PROXY)
    for number in range(300):
        attempts.begin(f"ghost-{number}", PROXY)
        attempts.begin(f"ghost-{number}", PROXY)
    assert FailedLogin.objects.count() <= 50
    assert attempts.begin("boss", PROXY) > 0


def test_many_at_once_are_many(accounts: None, clock: list[float]) -> None:
    """As in several processes: each has a connection of its own."""
    from django.db import connections

    def one(_: int) -> int:
        try:
            return attempts.begin("boss", PROXY)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(24)))
    assert answers.count(0) == attempts.FREE + 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("unknown", "unknown", True),
    ],
)
def test_what_counts_as_one_address(one: str, other: str, same: bool) -> None:
    assert (attempts.network(one) == attempts.network(other)) is same


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client"),
    [
        ("", "127.0.0.1", "203.0.113.9", "127.0.0.1"),
        ("192.0.2.0/24", "198.51.100.1", "203.0.113.9", "198.51.100.1"),
        ("192.0.2.0/24", "192.0.2.1", "203.0.113.9", "203.0.113.9"),
        ("192.0.2.0/24", "192.0.2.1", "10.0.0.1, 203.0.113.9, 192.0.2.7", "203.0.113.9"),
        ("192.0.2.0/24", "192.0.2.1", "203.0.113.9, 198.51.100.4", "198.51.100.4"),
        ("192.0.2.0/24,2001:db8::/32", "2001:db8::5", "[2001:470::1]:4711", "2001:470::1"),
        ("192.0.2.1", "192.0.2.1", "203.0.113.9:1234", "203.0.113.9"),
        ("192.0.2.1", "192.0.2.1", "", "192.0.2.1"),
    ],
)
def test_only_trusted_proxies_are_believed(
    pages: Path, monkeypatch: pytest.MonkeyPatch, trusted: str, peer: str, forwarded: str, client: str
) -> None:
    import environment
    from config import asgi

    seen: list[str] = []
    monkeypatch.setattr(attempts, "begin", lambda account, address: seen.append(address) or 7)
    monkeypatch.setenv("BINNACLE_TRUSTED_PROXIES", trusted)
    application = asgi.behind_proxies(environment.TRUSTED_PROXIES.get())
    made = browser()
    fields = {**form(made), "name": "boss", "password": "x"}
    body = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
    cookie = "; ".join(f"{name}={one.value}" for name, one in made.cookies.items())
    headers = {
        "host": HOST,
        "origin": f"http://{HOST}",
        "cookie": cookie,
        "content-type": "application/x-www-form-urlencoded",
        "content-length": str(len(body)),
        **({"x-forwarded-for": forwarded} if forwarded else {}),
    }
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/login",
        "raw_path": b"/login",
        "query_string": b"",
        "scheme": "http",
        "server": ("127.0.0.1", 8080),
        "client": (peer, 1234),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    sent: list[Any] = []

    async def run() -> None:
        gone = asyncio.Event()
        messages = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> Any:
            if (message := next(messages, None)) is None:
                await gone.wait()
            return message

        async def send(message: Any) -> None:
            sent.append(message)

        await application(scope, receive, send)

    asyncio.run(run())
    assert sent[0]["status"] == 429 and seen == [client]


def test_a_static_token_that_is_taken_out_of_its_file_ends_its_sessions(
    pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cluster import configfile, plaintokens

    monkeypatch.setattr(configfile, "LOOK", 0.0)
    plaintokens.of_folder.cache_clear()
    file = pages / "pki" / "tokens.csv"
    file.write_text('secret-word,eve,eve-uid,"ops"\nother,bob,bob-uid\n')
    monkeypatch.setattr(api, "who_is", {"secret-word": {"username": "eve", "uid": "eve-uid", "groups": ["ops"]}}.get)
    made = browser()
    assert enter(made, token="secret-word").status_code == 303
    key = made.session.session_key
    assert "secret-word" not in str(dict(made.session.items()))
    user = login.user_of_key(key)
    assert user == "eve" and user.groups == ("ops", "system:authenticated")
    file.write_text("secret-word,eve,eve-uid\nother,bob,bob-uid\n")
    user = login.user_of_key(key)
    assert user == "eve" and user.groups == ("system:authenticated",), "with the groups that it has now"
    file.write_text("another-word,eve,eve-uid\nother,bob,bob-uid\n")
    assert login.user_of_key(key) is None


def test_a_static_token_that_cannot_be_followed_here_lasts_a_quarter_of_an_hour(
    pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "who_is", {"elsewhere": {"username": "eve"}}.get)
    made = browser()
    assert enter(made, token="elsewhere").status_code == 303
    key, now = made.session.session_key, time.time()
    assert login.user_of_key(key) == "eve"
    monkeypatch.setattr(login.time, "time", lambda: now + login.UNFOLLOWED_LIFE + 1)
    assert login.user_of_key(key) is None
